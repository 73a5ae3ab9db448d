-- Documents whose passages are there already, and how many each has; a range of the primary key.
SELECT document, document_hash, uniqExact(part)
FROM index_passages
WHERE collection = {collection:String} AND method = {method:String}
GROUP BY document, document_hash
