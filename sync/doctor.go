package ordersync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ordergate/odoo"
)

// Finding is what one check of Diagnose found.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do about it, where something is to be done
}

// Patient is the ERP as Diagnose examines it; *odoo.Client is one.
type Patient interface {
	Ping(ctx context.Context) error
	Version(ctx context.Context) (odoo.Version, error)
	Protocol(ctx context.Context) (odoo.Protocol, error)
	Permissions(ctx context.Context) ([]odoo.Permission, error)
	SenderAddress(ctx context.Context) (string, error)
	KeyExpiry(ctx context.Context) (odoo.KeyExpiry, error)
	Now() time.Time
}

// The versions of Odoo that the gateway is tested with lie between these.
const (
	oldestOdoo = 14
	newestOdoo = 19
)

// maxClockSkew is how far the clocks may differ before it is worth a word; syncs look back much further.
const maxClockSkew = 30 * time.Second

// Diagnose examines the ERP: reachable, login, version, permissions, e-mail address, API key, clock. Later checks are left out where an earlier
// one makes them pointless.
func Diagnose(ctx context.Context, erp Patient, now func() time.Time) []Finding {
	version, err := erp.Version(ctx)
	if err != nil {
		return []Finding{{Check: "ERP", Detail: brief(err), Advice: adviceFor(err)}}
	}
	findings := []Finding{versionFinding(version)}
	if err := erp.Ping(ctx); err != nil {
		return append(findings, Finding{Check: "login", Detail: brief(err), Advice: adviceFor(err)})
	}
	spoken, err := erp.Protocol(ctx)
	if err != nil {
		return append(findings, Finding{Check: "login", Detail: brief(err), Advice: adviceFor(err)})
	}
	findings = append(findings, Finding{Check: "login", OK: true, Detail: "the gateway's user can log in, over " + string(spoken)})

	permissions, err := erp.Permissions(ctx)
	if err != nil {
		findings = append(findings, Finding{Check: "permissions", Detail: brief(err), Advice: adviceFor(err)})
	} else {
		findings = append(findings, permissionFinding(permissions))
	}
	address, err := erp.SenderAddress(ctx)
	if err != nil {
		findings = append(findings, Finding{Check: "e-mail address", Detail: brief(err), Advice: adviceFor(err)})
	} else {
		findings = append(findings, addressFinding(address))
	}
	key, err := erp.KeyExpiry(ctx)
	if err != nil {
		findings = append(findings, Finding{Check: "API key", Detail: brief(err), Advice: adviceFor(err)})
	} else {
		findings = append(findings, keyFinding(key, erp.Now()))
	}
	return append(findings, clockFinding(erp.Now(), now()))
}

func versionFinding(v odoo.Version) Finding {
	f := Finding{Check: "ERP", OK: true, Detail: "Odoo " + v.Full}
	if v.Major < oldestOdoo || v.Major > newestOdoo {
		f.OK = false
		f.Advice = fmt.Sprintf("The gateway is tested with Odoo %d to %d; with this one, try it on a copy first.", oldestOdoo, newestOdoo)
	}
	return f
}

func permissionFinding(permissions []odoo.Permission) Finding {
	var lacking []string
	for _, p := range permissions {
		if !p.Allowed {
			lacking = append(lacking, p.Operation+" "+p.Model)
		}
	}
	if len(lacking) == 0 {
		return Finding{Check: "permissions", OK: true, Detail: "the gateway's user may do all it must"}
	}
	return Finding{Check: "permissions", Detail: "the gateway's user may not " + strings.Join(lacking, ", "),
		Advice: "In Odoo, give the user \"Sales: All Documents\" and \"Contact Creation\" (Settings, Users)."}
}

// addressFinding says whether Odoo can name a sender for what the gateway does there. Odoo 14 validates no delivery without one;
// later ones do.
func addressFinding(address string) Finding {
	if address == "" {
		return Finding{Check: "e-mail address", Detail: "the gateway's user has none, without which Odoo 14 sends out no delivery",
			Advice: "In Odoo, give the user an e-mail address (Settings, Users). Nothing needs to be read there."}
	}
	return Finding{Check: "e-mail address", OK: true, Detail: "the gateway's user has one"}
}

func clockFinding(erp, local time.Time) Finding {
	skew := local.Sub(erp).Round(time.Second)
	f := Finding{Check: "clock", OK: true, Detail: fmt.Sprintf("differs from the ERP's by %s", skew.Abs())}
	if skew.Abs() > maxClockSkew {
		f.OK = false
		f.Advice = "Synchronize both clocks (NTP): ages and leases are told by the gateway's, changes by the ERP's."
	}
	return f
}

// brief is the part of an error that is fit for a terminal.
func brief(err error) string {
	var e *odoo.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// adviceFor says what to do about an ERP that cannot be used.
func adviceFor(err error) string {
	switch reason(err) {
	case odoo.LoginRefused:
		return "Check ORDERGATE_ODOO_DB, ORDERGATE_ODOO_USER and ORDERGATE_ODOO_PASSWORD; with two-factor login, the password must be an API key."
	case odoo.Misconfigured, odoo.BadAnswer:
		return "Check ORDERGATE_ODOO_URL: it must be the address of Odoo itself, such as https://odoo.example.com, without a path."
	case odoo.AccessRights:
		return "In Odoo, give the gateway's user \"Sales: All Documents\" and \"Contact Creation\" (Settings, Users)."
	case odoo.Unreachable, odoo.Timeout, odoo.ConnectionLost, odoo.BreakerOpen:
		return "Check that Odoo runs and that this host may reach it (address, port, firewall)."
	default:
		return "Look at Odoo's own log at this moment."
	}
}
