"""What a call costs: dated prices, and the rule that turns usage into nano-dollars."""
