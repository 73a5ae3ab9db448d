"""The data plane: takes calls in, has them answered, and writes down what happened. It never sees a database."""
