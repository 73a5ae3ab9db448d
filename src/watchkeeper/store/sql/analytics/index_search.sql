-- The passages of a version nearest to a vector: all of them are compared. Vectors have the length 1, so that the product
-- is the cosine.
SELECT document, title, text, least(1., dotProduct(reinterpret(vector, 'Array(Float32)'), {question:Array(Float32)})) AS score
FROM index_passages
WHERE collection = {collection:String} AND method = {method:String}
    AND (document, document_hash) IN
    (
        SELECT document, document_hash
        FROM index_documents
        WHERE collection = {collection:String} AND build = {build:String}
    )
    AND score >= {min_score:Float64}
ORDER BY score DESC, document, part
LIMIT 1 BY document, part
LIMIT {limit:UInt32}
