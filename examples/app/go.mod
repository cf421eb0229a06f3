module example.com/demo-api

go 1.26
