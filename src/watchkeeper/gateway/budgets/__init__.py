"""What a worker may spend: which budgets and limits a call counts against, its holds, and the leases they come from."""
