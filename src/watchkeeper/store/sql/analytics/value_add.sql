-- Keep a report of value.
INSERT INTO value_events (event_id, feature, tenant, call_id, units_milli, at, recorded_at, source)
SELECT {id:String}, {feature:String}, {tenant:String}, {call_id:String}, {units_milli:Int64}, {at:DateTime64(6)},
    {recorded_at:DateTime64(6)}, {source:String}
