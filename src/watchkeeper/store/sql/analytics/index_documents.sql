-- Documents of a version, in order of their ids; by the primary key.
SELECT document, document_hash, title, passages
FROM index_documents
WHERE collection = {collection:String} AND build = {build:String}
ORDER BY document
LIMIT 1 BY document
