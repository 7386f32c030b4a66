// Command bench measures the gateway beside the raw calls to Odoo that it stands for, in one run, and prints ratios: on
// a shared machine only those mean anything. It needs a real Odoo 19 and a MariaDB (ORDERGATE_TEST_ODOO19 and
// ORDERGATE_TEST_MARIADB, as the tests do); `make bench` boots both.
//
// Every pair is measured alternately, one of each in turn, so that whatever else the machine does meets both alike.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// figure is one line of the result.
type figure struct {
	name       string
	ours, bare time.Duration // medians
	limit      float64       // the ratio that is promised
}

func (f figure) ratio() float64 { return float64(f.ours) / float64(f.bare) }

const (
	warmUps        = 5
	placements     = 60
	listings       = 100
	listedOrders   = 80
	idleLimitMB    = 60
	afterStartIdle = 5 * time.Second
)

func run() error {
	odoo, err := connect(os.Getenv("ORDERGATE_TEST_ODOO19"))
	if err != nil {
		return err
	}
	stage, err := newStage(os.Getenv("ORDERGATE_TEST_MARIADB"), odoo)
	if err != nil {
		return err
	}
	defer stage.close()

	idle, err := stage.start("ORDERGATE_FRESHNESS=1h", "ORDERGATE_SYNC_INTERVAL=1h")
	if err != nil {
		return err
	}
	defer idle.stop()
	if err := idle.waitUntilSynced(); err != nil {
		return err
	}
	time.Sleep(afterStartIdle)
	memory, err := idle.memoryMB()
	if err != nil {
		return err
	}

	placing, err := measurePlacing(idle, odoo)
	if err != nil {
		return fmt.Errorf("placing: %w", err)
	}
	fresh, err := measureListing("fresh listing of 80 orders / search_read of the same", 0.15, idle, odoo)
	if err != nil {
		return fmt.Errorf("fresh listing: %w", err)
	}
	eager, err := stage.start("ORDERGATE_FRESHNESS=1ns", "ORDERGATE_SYNC_INTERVAL=1h")
	if err != nil {
		return err
	}
	defer eager.stop()
	syncing, err := measureListing("listing that must sync / search_read of the same", 1.3, eager, odoo)
	if err != nil {
		return fmt.Errorf("listing that must sync: %w", err)
	}
	return report([]figure{placing, fresh, syncing}, memory)
}

// measurePlacing places two-line orders through the gateway, and creates and reads the same by hand.
func measurePlacing(g *gateway, odoo *bareOdoo) (figure, error) {
	reference := func(i int) string { return fmt.Sprintf("bench-%d-%d", os.Getpid(), i) }
	ours, bare, err := alternate(placements, func(i int) error {
		return g.place(reference(i))
	}, func(i int) error {
		return odoo.createAndRead(reference(i))
	})
	return figure{"POST /v1/orders / create + read", ours, bare, 1.25}, err
}

// measureListing lists a customer's orders through the gateway, and reads the same orders with their lines by hand.
func measureListing(name string, limit float64, g *gateway, odoo *bareOdoo) (figure, error) {
	partner, err := g.prepareCustomer(listedOrders)
	if err != nil {
		return figure{}, err
	}
	ours, bare, err := alternate(listings, func(int) error {
		return g.list(listedOrders)
	}, func(int) error {
		return odoo.searchRead(partner, listedOrders)
	})
	return figure{name, ours, bare, limit}, err
}

// alternate runs both in turn and returns their medians.
func alternate(times int, ours, bare func(i int) error) (oursMedian, bareMedian time.Duration, err error) {
	var o, b []time.Duration
	for i := range warmUps + times {
		began := time.Now()
		if err := ours(i); err != nil {
			return 0, 0, fmt.Errorf("gateway: %w", err)
		}
		between := time.Now()
		if err := bare(i); err != nil {
			return 0, 0, fmt.Errorf("bare Odoo: %w", err)
		}
		if i >= warmUps {
			o, b = append(o, between.Sub(began)), append(b, time.Since(between))
		}
	}
	slices.Sort(o)
	slices.Sort(b)
	return o[len(o)/2], b[len(b)/2], nil
}

// report prints the figures, and fails if a promise is not kept.
func report(figures []figure, memoryMB int) error {
	kept := true
	fmt.Println("| what | gateway p50 | bare p50 | ratio | promised |")
	fmt.Println("|---|---|---|---|---|")
	for _, f := range figures {
		fmt.Printf("| %s | %.1f ms | %.1f ms | %.2f | at most %.2f |\n", f.name, milliseconds(f.ours), milliseconds(f.bare), f.ratio(), f.limit)
		kept = kept && f.ratio() <= f.limit
	}
	fmt.Printf("| memory of an idle gateway | %d MB | | | at most %d MB |\n", memoryMB, idleLimitMB)
	if !kept || memoryMB > idleLimitMB {
		return errors.New("a promised figure was not reached")
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fetch makes one HTTP request, expects a status, and decodes the JSON answer.
func fetch(client *http.Client, method, url, key string, body any, want int, header http.Header) (map[string]any, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != want {
		return nil, fmt.Errorf("%s %s: status %d: %s", method, url, response.StatusCode, raw)
	}
	var answer map[string]any
	return answer, json.Unmarshal(raw, &answer)
}
