package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	warmUps        = 5
	placements     = 60
	listings       = 100
	listedOrders   = 80
	idleLimitMB    = 60
	afterStartIdle = 5 * time.Second
)

// measureAlone measures one caller who does one thing at a time, and what an idle gateway takes.
func measureAlone(s *stage, r *report) error {
	idle, err := s.start("ORDERGATE_FRESHNESS=1h", "ORDERGATE_SYNC_INTERVAL=1h")
	if err != nil {
		return err
	}
	defer idle.stop()
	if err := idle.waitUntilSynced(s.key); err != nil {
		return err
	}
	time.Sleep(afterStartIdle)
	memory, err := idle.memoryMB()
	if err != nil {
		return err
	}

	if err := measurePlacing(s, idle, r); err != nil {
		return fmt.Errorf("placing: %w", err)
	}
	if err := measureListing("fresh listing of 80 orders / `search_read` of the same, p50", 0.15, s, idle, r); err != nil {
		return fmt.Errorf("fresh listing: %w", err)
	}
	eager, err := s.start("ORDERGATE_FRESHNESS=1ns", "ORDERGATE_SYNC_INTERVAL=1h")
	if err != nil {
		return err
	}
	defer eager.stop()
	if err := measureListing("listing that must sync / `search_read` of the same, p50", 1.3, s, eager, r); err != nil {
		return fmt.Errorf("listing that must sync: %w", err)
	}
	r.bound("memory of an idle gateway", fmt.Sprintf("%.0f MB", memory), fmt.Sprintf("at most %d MB", idleLimitMB), memory <= idleLimitMB)
	return nil
}

// measurePlacing places two-line orders through the gateway, repeats the requests, and creates and reads the same by hand.
func measurePlacing(s *stage, g *gateway, r *report) error {
	reference := func(i int) string { return fmt.Sprintf("%s-alone-%d", s.name, i) }
	post := func(i int) error {
		return g.mustPlace(wish{apiKey: g.key, customer: "bench-placing", reference: reference(i)})
	}
	medians, err := alternate(placements, post, post, func(i int) error { return s.odoo.createAndRead(reference(i)) })
	if err != nil {
		return err
	}
	r.atMost(1.25, "`POST /v1/orders` / `create` + `read`, p50", medians[0], medians[2])
	r.atMost(0.2, "replay / `create` + `read`, p50", medians[1], medians[2])
	return nil
}

func (g *gateway) mustPlace(w wish) error {
	status, err := g.place(context.Background(), w)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("an order was answered with status %d", status)
	}
	return err
}

// measureListing lists a customer's orders through the gateway, and reads the same orders with their lines by hand.
func measureListing(what string, limit float64, s *stage, g *gateway, r *report) error {
	partner, err := g.prepareCustomer(s.name)
	if err != nil {
		return err
	}
	medians, err := alternate(listings, func(int) error {
		return g.list(s.name)
	}, func(int) error {
		return s.odoo.searchRead(partner, listedOrders)
	})
	if err != nil {
		return err
	}
	r.atMost(limit, what, medians[0], medians[1])
	return nil
}

// prepareCustomer makes sure that a customer has listedOrders orders, and returns its partner.
func (g *gateway) prepareCustomer(ref string) (partner int64, err error) {
	for i := range listedOrders {
		if err := g.mustPlace(wish{apiKey: g.key, customer: ref, reference: fmt.Sprintf("%s-listed-%d", ref, i)}); err != nil {
			return 0, err
		}
	}
	found, err := fetch(g.client, g.base+"/v1/customers?q="+ref, g.key)
	if err != nil {
		return 0, err
	}
	list, _ := found["customers"].([]any)
	if len(list) != 1 {
		return 0, fmt.Errorf("%d customers have the ref %s", len(list), ref)
	}
	id, ok := list[0].(map[string]any)["erp_partner_id"].(float64)
	if !ok {
		return 0, fmt.Errorf("customer %s has no partner", ref)
	}
	return int64(id), nil
}

// list gets a customer's orders, and checks that it got them all.
func (g *gateway) list(customer string) error {
	listing, err := fetch(g.client, fmt.Sprintf("%s/v1/orders?customer=%s&limit=%d", g.base, customer, listedOrders), g.key)
	if err != nil {
		return err
	}
	if orders, _ := listing["orders"].([]any); len(orders) != listedOrders {
		return fmt.Errorf("listing has %d orders, want %d", len(orders), listedOrders)
	}
	if status, _ := listing["sync"].(map[string]any); status["state"] != "fresh" {
		return fmt.Errorf("listing is %v", status)
	}
	return nil
}

// alternate runs each in turn, so many times, and returns their medians.
func alternate(times int, each ...func(i int) error) ([]time.Duration, error) {
	took := make([][]time.Duration, len(each))
	for i := range warmUps + times {
		for n, run := range each {
			began := time.Now()
			if err := run(i); err != nil {
				return nil, err
			}
			if i >= warmUps {
				took[n] = append(took[n], time.Since(began))
			}
		}
	}
	medians := make([]time.Duration, len(each))
	for n := range each {
		medians[n] = median(took[n])
	}
	return medians, nil
}

// fetch gets a JSON document.
func fetch(client *http.Client, url, key string) (map[string]any, error) {
	request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %s", url, response.StatusCode, raw)
	}
	var answer map[string]any
	return answer, json.Unmarshal(raw, &answer)
}
