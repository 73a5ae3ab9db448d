-- Take a version out of the list; afterwards nobody finds it.
DELETE FROM index_versions WHERE collection = {collection:String} AND version = {version:String}
