"""What is looked at without being asked: budgets, and what calls cost. Rules get figures and give findings."""
