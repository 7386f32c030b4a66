package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what the gateway is made of. Services, Keys and Registry are required; the rest has defaults.
type Config struct {
	Services map[int64]Service // by tenant id
	Keys     Keys
	Notified map[string]Notified  // who takes what the ERP posts, by the tenant's name; none: nobody does
	Checks   []Check              // what /readyz looks at
	Registry *prometheus.Registry // receives the gateway's metrics; /metrics serves all that it holds
	Logger   *slog.Logger         // nil: nothing is logged
	Limits   Limits
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed when the access log names the
	// sender. None by default.
	TrustedProxies []string
	Clock          func() time.Time // default time.Now
	NewRequestID   func() string    // default a UUID, version 7
	Version        string           // shown by /healthz and /docs
}

// Limits bound what callers can ask of the gateway. A zero field takes its default.
type Limits struct {
	MaxBodyBytes         int64         // of a request's body. Default 1 MiB
	MaxBodyBytesInFlight int64         // of the bodies of all requests at once. Default 64 MiB
	RequestTimeout       time.Duration // from authentication to answer, without the reading of the body. Default 30 s, at most 60 s
	SendTimeout          time.Duration // in which a caller must have taken its answer. Default 30 s
	RatePerSecond        float64       // requests of one API key, on the long run. Default 50
	Burst                int           // requests of one API key at once. Default 100
	MaxInFlight          int           // requests under /v1 at once, of all callers. Default 1024
	// MaxInFlightPerTenant keeps the callers of one tenant, whose ERP may hang, from taking every place. Default 256
	MaxInFlightPerTenant int
}

// maxRequestTimeout keeps a request within the write timeout of NewServer, beyond which its answer would be cut off.
const maxRequestTimeout = 60 * time.Second

func (cfg Config) withDefaults() (Config, error) {
	if len(cfg.Services) == 0 {
		return Config{}, errors.New("gateway: at least one tenant's service is needed")
	}
	for id, service := range cfg.Services {
		if id <= 0 || service == nil {
			return Config{}, fmt.Errorf("gateway: tenant %d has no service", id)
		}
	}
	if cfg.Keys == nil {
		return Config{}, errors.New("gateway: a store of API keys is needed")
	}
	for tenant, notified := range cfg.Notified {
		if tenant == "" || notified == nil {
			return Config{}, fmt.Errorf("gateway: nobody takes the notifications of tenant %q", tenant)
		}
	}
	if cfg.Registry == nil {
		return Config{}, errors.New("gateway: a metrics registry is needed")
	}
	names := map[string]bool{}
	for _, check := range cfg.Checks {
		if check.Name == "" || check.Run == nil || names[check.Name] {
			return Config{}, fmt.Errorf("gateway: the readiness check %q needs a name of its own and something to run", check.Name)
		}
		names[check.Name] = true
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.NewRequestID == nil {
		cfg.NewRequestID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return Config{}, err
	}
	cfg.Limits = limits
	return cfg, nil
}

func (l Limits) withDefaults() (Limits, error) {
	if l.MaxBodyBytes < 0 || l.MaxBodyBytesInFlight < 0 || l.RequestTimeout < 0 || l.SendTimeout < 0 ||
		l.RatePerSecond < 0 || l.Burst < 0 || l.MaxInFlight < 0 || l.MaxInFlightPerTenant < 0 {
		return Limits{}, errors.New("gateway: a limit may not be negative")
	}
	if l.RequestTimeout > maxRequestTimeout {
		return Limits{}, fmt.Errorf("gateway: the request timeout may be at most %s", maxRequestTimeout)
	}
	setDefault(&l.MaxBodyBytes, 1<<20)
	setDefault(&l.RequestTimeout, 30*time.Second)
	setDefault(&l.RatePerSecond, 50)
	setDefault(&l.Burst, 100)
	setDefault(&l.SendTimeout, 30*time.Second)
	setDefault(&l.MaxInFlight, 1024)
	setDefault(&l.MaxInFlightPerTenant, 256)
	setDefault(&l.MaxBodyBytesInFlight, 64<<20)
	if l.MaxBodyBytesInFlight < l.MaxBodyBytes {
		return Limits{}, errors.New("gateway: the bodies in flight must have room for the largest one")
	}
	return l, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
