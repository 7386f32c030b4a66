package order

import "time"

// Role says what a caller may do.
type Role string

// The roles.
const (
	RoleCustomer Role = "customer" // bound to one partner; sees its company's orders only
	RolePortal   Role = "portal"   // any customer of its tenant
	RoleOperator Role = "operator"
	RoleModule   Role = "module" // another system of the tenant's, such as its warehouse's; writes history entries of its module, and reads orders
)

// Roles lists every role.
var Roles = []Role{RoleCustomer, RolePortal, RoleOperator, RoleModule}

// Tenant is one Odoo database and its callers.
type Tenant struct {
	ID       int64
	Name     string // stable: external ids in the ERP derive from it
	Settings Settings
}

// Settings are what a tenant allows beyond the defaults.
type Settings struct {
	CustomerMaySetPrices bool `yaml:"customer_may_set_prices"` // unit_price and discount from callers of role customer
	CustomerMayConfirm   bool `yaml:"customer_may_confirm"`

	StockCheck StockPolicy `yaml:"stock_check"` // of orders that are placed; empty: StockOff
}

// Caller is who an authenticated request comes from.
type Caller struct {
	TenantID     int64
	KeyID        int64
	Name         string // of the API key
	Role         Role
	Source       string // the orders placed with this key come from here; idempotency keys are unique within it
	ERPPartnerID int64  // for RoleCustomer
	Module       string // the namespace of the history entries that it may write; empty: none
}

// APIKey is a stored credential. The secret itself is not kept, only its hash.
type APIKey struct {
	ID           int64
	TenantID     int64
	Name         string
	Role         Role
	Source       string
	ERPPartnerID int64
	Module       string // for RoleModule
	Prefix       string // the first characters of the secret, to tell keys apart
	Hash         string // hex SHA-256 of the secret
	CreatedAt    time.Time
	RevokedAt    time.Time // zero while it is valid
}
