-- Passages of some documents of a version, in order; a range of the primary key. Two builds at once may have written a
-- passage twice.
SELECT document, title, text, vector
FROM index_passages
WHERE collection = {collection:String} AND method = {method:String}
    AND document BETWEEN {first:String} AND {last:String}
    AND (document, document_hash) IN
    (
        SELECT document, document_hash
        FROM index_documents
        WHERE collection = {collection:String} AND build = {build:String} AND document BETWEEN {first:String} AND {last:String}
    )
ORDER BY document, part
LIMIT 1 BY document, part
