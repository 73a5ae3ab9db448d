-- What scorers look at of some calls; by the primary key within the days they may be of.
SELECT {columns}
FROM calls
WHERE id IN {{ids:Array(String)}} AND started_at BETWEEN {{from:DateTime64(3)}} AND {{to:DateTime64(3)}}
