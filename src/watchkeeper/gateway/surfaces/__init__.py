"""What clients may speak. A surface reads its API's request into a typed view over the bytes, and writes its errors."""
