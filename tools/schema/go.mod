module portcullis/tools/schema

go 1.22
