// Package odoo is the ERP client.
package odoo
