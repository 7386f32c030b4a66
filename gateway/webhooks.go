package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"ordergate/order"
)

// webhookPath is where the ERP posts. Log and metrics show it as it stands here, and so never the secret.
const webhookPath = "/hooks/odoo/{tenant}/{secret}"

const (
	// maxNotificationBytes bounds the body of a notification. Odoo's have about 200 bytes.
	maxNotificationBytes = 64 << 10
	// maxNotifications are answered at once, of all tenants: Odoo sends one after another from each of its workers.
	maxNotifications = 256
	// Notifications of one tenant, a second on the long run and at once. What is beyond them is read as "much has changed".
	notificationsPerSecond = 500
	notificationsBurst     = 5000
	// notificationPatience is how long the database may take over a secret that this process does not know yet: shorter than
	// the second that Odoo waits.
	notificationPatience = 700 * time.Millisecond
	// maxTenantName is longer than any tenant's name is.
	maxTenantName = 255
)

// The limits by which notifications are refused, as the metric names them.
const (
	limitNotifications     = "notifications_in_flight"
	limitNotificationsRate = "notifications_rate"
)

// Notified takes the notifications of one tenant's ERP. Its methods return at once.
type Notified interface {
	// TakesSecret returns nil if the secret is one that the ERP was given. An *order.Error of kind NotFound if it is not; any
	// other error means that it cannot be told now.
	TakesSecret(ctx context.Context, secret string) error
	// Notify notes that an order may have changed.
	Notify(n order.Notification)
	// NotifyLost notes that notifications were turned away.
	NotifyLost()
}

// webhookReceiver answers what the ERP posts. The ERP waits for the answer, for a second at most, and the person in front
// of it waits too: so nothing is done here but to note the id.
type webhookReceiver struct {
	tenants  map[string]tenantNotified
	rates    *rateLimits
	metrics  *metrics
	problems *problems
}

type tenantNotified struct {
	Notified
	number int64 // of the tenant's bucket
}

func newWebhookReceiver(cfg Config, metrics *metrics, problems *problems) *webhookReceiver {
	r := &webhookReceiver{
		tenants: make(map[string]tenantNotified, len(cfg.Notified)), metrics: metrics, problems: problems,
		rates: newRateLimits(notificationsPerSecond, notificationsBurst, len(cfg.Notified)+1, cfg.Clock),
	}
	for name, notified := range cfg.Notified {
		r.tenants[name] = tenantNotified{notified, int64(len(r.tenants))}
	}
	return r
}

// capNotifications refuses notifications beyond the number that may be answered at once. It has places of its own, so
// that a burst of them takes none from callers.
func capNotifications(m *metrics, problems *problems) gin.HandlerFunc {
	places := make(chan struct{}, maxNotifications)
	return func(c *gin.Context) {
		select {
		case places <- struct{}{}:
		default:
			m.refused.WithLabelValues(limitNotifications).Inc()
			problems.write(c, overloaded("The gateway is taking as many notifications as it can."))
			return
		}
		defer func() { <-places }()
		c.Next()
	}
}

// receive takes one notification. Whoever has no valid secret hears what any wrong address answers.
func (r *webhookReceiver) receive(c *gin.Context) {
	parameters, err := unescapePath(c.Params)
	if err != nil {
		r.problems.write(c, noSuchRoute())
		return
	}
	tenant, err := r.admit(c.Request.Context(), parameters["tenant"], parameters["secret"])
	if err != nil {
		r.problems.write(c, err)
		return
	}
	if wait := r.rates.take(tenant.number); wait > 0 {
		tenant.NotifyLost()
		r.metrics.refused.WithLabelValues(limitNotificationsRate).Inc()
		r.problems.write(c, order.Errorf(order.RateLimited, "rate_limited",
			"Too many notifications; the gateway looks at everything instead.").RetryIn(wait))
		return
	}
	n, err := readNotification(c)
	if err != nil {
		r.problems.write(c, err)
		return
	}
	tenant.Notify(n)
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

// admit returns the tenant that a secret belongs to.
func (r *webhookReceiver) admit(ctx context.Context, name, secret string) (tenantNotified, error) {
	if len(name) > maxTenantName || len(secret) > maxSecretLength {
		return tenantNotified{}, noSuchRoute()
	}
	tenant, served := r.tenants[name]
	if !served {
		return tenantNotified{}, noSuchRoute()
	}
	ctx, cancel := context.WithTimeout(ctx, notificationPatience)
	defer cancel()
	switch err := tenant.TakesSecret(ctx, secret); {
	case order.IsKind(err, order.NotFound):
		return tenantNotified{}, noSuchRoute()
	case err != nil:
		return tenantNotified{}, order.Errorf(order.Unavailable, "database_unavailable",
			"The gateway's database cannot be reached.").Because(err)
	}
	return tenant, nil
}

// noSuchRoute is the answer of every address that there is nothing at.
func noSuchRoute() *order.Error {
	return order.Errorf(order.NotFound, "route_not_found", "There is nothing at this address; see /docs.")
}

// readNotification reads the body: an object as a server action of Odoo posts it. What else it holds is passed over: it
// was true in the midst of a transaction.
func readNotification(c *gin.Context) (order.Notification, error) {
	if err := checkMediaType(c.Request.Header); err != nil {
		return order.Notification{}, err
	}
	body, err := (&validator{maxBodyBytes: maxNotificationBytes}).readBody(c)
	if err != nil {
		return order.Notification{}, err
	}
	if err := checkJSON(body); err != nil {
		return order.Notification{}, err
	}
	var posted struct {
		Model   string          `json:"_model"`
		ID      json.RawMessage `json:"_id"`
		OrderID json.RawMessage `json:"order_id"`
		SaleID  json.RawMessage `json:"sale_id"`
	}
	if err := json.Unmarshal(body, &posted); err != nil {
		return order.Notification{}, order.Invalid(codeInvalid, "_model", "must be the name of a model, in an object")
	}
	switch posted.Model {
	case "sale.order":
		id, err := postedID("_id", posted.ID, false)
		return order.Notification{OrderID: id}, err
	case "sale.order.line":
		id, err := postedID("order_id", posted.OrderID, true)
		return order.Notification{OrderID: id}, err
	case "stock.picking":
		id, err := postedID("sale_id", posted.SaleID, true)
		return order.Notification{OrderID: id}, err
	case "account.move":
		id, err := postedID("_id", posted.ID, false)
		return order.Notification{InvoiceID: id}, err
	default:
		return order.Notification{}, order.Invalid(codeInvalid, "_model", "must be a model that the gateway asked to hear of")
	}
}

// postedID reads an id. Odoo writes false for a reference that is empty.
func postedID(field string, raw json.RawMessage, mayBeEmpty bool) (int64, error) {
	if mayBeEmpty && string(raw) == "false" {
		return 0, nil
	}
	var id int64
	if err := json.Unmarshal(raw, &id); err != nil || id <= 0 || id > order.MaxERPID {
		return 0, order.Invalid(codeInvalid, field, "must be an id")
	}
	return id, nil
}
