-- Forget the passages that no version has any more. Young ones may be of a version that is being built.
DELETE FROM index_passages
WHERE collection = {collection:String} AND added_at < {before:DateTime64(6)}
    AND (document, document_hash) NOT IN
    (
        SELECT document, document_hash FROM index_documents WHERE collection = {collection:String}
    )
