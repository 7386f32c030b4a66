// Package env gives tests the real servers they run against: MySQL, MariaDB and Odoo.
//
// Which servers there are is said by environment variables, each the URL of one server:
//
//	ORDERGATE_TEST_MYSQL         mysql://root@127.0.0.1:3307/
//	ORDERGATE_TEST_MARIADB       mysql://root@127.0.0.1:3306/
//	ORDERGATE_TEST_ODOO14        http://gateway:gateway-secret@127.0.0.1:8083/shop14
//	ORDERGATE_TEST_ODOO14_SALES  http://gateway:gateway-secret@127.0.0.1:8083/sales14
//	ORDERGATE_TEST_ODOO19        http://gateway:gateway-secret@127.0.0.1:8088/shop19
//	ORDERGATE_TEST_ODOO19_SALES  http://gateway:gateway-secret@127.0.0.1:8088/sales19
//
// A test that asks for a server whose variable is not set is skipped, and the skip names the variable. With
// ORDERGATE_TEST_REQUIRE=all it fails instead, so that a complete run cannot leave a server out unnoticed. A variable
// that is set but not usable always fails the test.
//
// The script test/servers/up boots all servers and prints these variables.
package env
