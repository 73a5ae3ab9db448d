-- What budgets did to one call, by the primary key.
SELECT budget_notes FROM calls WHERE id = {id:String} AND started_at BETWEEN {from:DateTime64(3)} AND {to:DateTime64(3)}
