-- Forget the documents of versions that are gone. What a build has not finished is left alone, by the passages' age below.
DELETE FROM index_documents
WHERE collection = {collection:String} AND build = {build:String}
    AND build NOT IN (SELECT build FROM index_versions WHERE collection = {collection:String})
