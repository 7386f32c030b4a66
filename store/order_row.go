package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

// orderRow is a row of orders.
type orderRow struct {
	ID                 int64
	TenantID           int64
	ERPOrderID         int64 `gorm:"column:erp_order_id"`
	Number             string
	ERPState           string `gorm:"column:erp_state"`
	Status             string
	Fulfilment         string
	Payment            string
	ERPPartnerID       int64 `gorm:"column:erp_partner_id"`
	ERPCompanyID       int64 `gorm:"column:erp_company_id" json:"-"` // of the customer; no part of what the ERP says of the order
	Reference          string
	Source             string
	Note               string
	Currency           string
	CurrencyDecimals   int
	AmountUntaxed      decimal.Decimal
	AmountTax          decimal.Decimal
	AmountTotal        decimal.Decimal
	OrderedAt          time.Time
	SearchText         string       // order.SearchText of number and reference
	ERPCreatedAt       sql.NullTime `gorm:"column:erp_created_at"`
	ERPUpdatedAt       sql.NullTime `gorm:"column:erp_updated_at"`
	WriteDate          sql.NullTime
	LinesWriteDate     sql.NullTime
	Documents          sql.NullString // JSON of documents; NULL: none
	DocumentsWriteDate sql.NullTime
	Original           sql.NullString // JSON of order.Original; NULL: nobody sent it through the gateway
	Edits              sql.NullString // how it differs from that, for people; NULL: not at all
	Edited             bool           // there are Edits
	ReadAt             sql.NullTime
	Digest             string // of all that the ERP said; equal digests mean equal content
	DeletedAt          sql.NullTime
	CreatedAt          time.Time
	UpdatedAt          time.Time `gorm:"autoUpdateTime:false"`
}

func (orderRow) TableName() string { return "orders" }

// lineRow is a row of order_lines.
type lineRow struct {
	ID            int64
	TenantID      int64
	OrderID       int64 // of the row in orders
	Position      int
	ERPLineID     int64 `gorm:"column:erp_line_id"`
	ERPProductID  int64 `gorm:"column:erp_product_id"`
	SKU           string
	Name          string
	UnitOfMeasure string
	Quantity      decimal.Decimal
	UnitPrice     decimal.Decimal
	Discount      decimal.Decimal
	Subtotal      decimal.Decimal
	Tax           decimal.Decimal
	Total         decimal.Decimal
	Delivered     decimal.Decimal
	Invoiced      decimal.Decimal
}

func (lineRow) TableName() string { return "order_lines" }

func (r lineRow) line() order.Line {
	return order.Line{
		ERPLineID: r.ERPLineID, ERPProductID: r.ERPProductID, SKU: r.SKU, Name: r.Name, UnitOfMeasure: r.UnitOfMeasure,
		Quantity: r.Quantity, UnitPrice: r.UnitPrice, Discount: r.Discount,
		Subtotal: r.Subtotal, Tax: r.Tax, Total: r.Total, Delivered: r.Delivered, Invoiced: r.Invoiced,
	}
}

// documents is what the column of that name holds.
type documents struct {
	Deliveries []order.Delivery `json:"deliveries,omitempty"`
	Invoices   []order.Invoice  `json:"invoices,omitempty"`
}

func documentsText(o order.Order) (sql.NullString, error) {
	if len(o.Deliveries) == 0 && len(o.Invoices) == 0 {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(documents{o.Deliveries, o.Invoices})
	return sql.NullString{String: string(text), Valid: true}, err
}

func (r orderRow) documents() (d documents, err error) {
	if r.Documents.Valid {
		err = json.Unmarshal([]byte(r.Documents.String), &d)
	}
	return d, err
}

// arrival is a snapshot in the form of the rows that it becomes. Tenant, source and times of the row are not set yet.
type arrival struct {
	order orderRow
	lines []lineRow
	seen  order.Snapshot // as much of it as its history tells of
}

// prepareSnapshot brings a snapshot to what the database can hold exactly, on every dialect alike.
func prepareSnapshot(s order.Snapshot) (arrival, error) {
	a := arrival{
		order: orderRow{
			ERPOrderID: s.ID, Number: s.Number, ERPState: string(s.State), Status: string(s.Status),
			Fulfilment: string(s.Fulfilment), Payment: string(s.Payment), ERPPartnerID: s.Customer.ERPPartnerID,
			Reference: s.Reference, Note: s.Note, Currency: s.Currency, CurrencyDecimals: s.CurrencyDecimals,
			AmountUntaxed: amount(s.AmountUntaxed), AmountTax: amount(s.AmountTax), AmountTotal: amount(s.AmountTotal),
			OrderedAt: orderedAt(s), SearchText: order.SearchText(s.Number, s.Reference),
			ERPCreatedAt: nullTime(s.CreatedAt), ERPUpdatedAt: nullTime(s.UpdatedAt),
			WriteDate: nullTime(s.WriteDate), LinesWriteDate: nullTime(s.LinesWriteDate),
			DocumentsWriteDate: nullTime(s.DocumentsWriteDate), ReadAt: nullTime(s.ReadAt),
		},
		lines: make([]lineRow, len(s.Lines)),
		seen: order.Snapshot{
			Order:         order.Order{ID: s.ID, Status: s.Status, Deliveries: s.Deliveries, Invoices: s.Invoices},
			AllDeliveries: s.AllDeliveries, AllInvoices: s.AllInvoices,
		},
	}
	for i, l := range s.Lines {
		a.lines[i] = lineRow{
			Position: i, ERPLineID: l.ERPLineID, ERPProductID: l.ERPProductID, SKU: l.SKU, Name: l.Name,
			UnitOfMeasure: l.UnitOfMeasure, Quantity: amount(l.Quantity), UnitPrice: amount(l.UnitPrice),
			Discount: amount(l.Discount), Subtotal: amount(l.Subtotal), Tax: amount(l.Tax), Total: amount(l.Total),
			Delivered: amount(l.Delivered), Invoiced: amount(l.Invoiced),
		}
	}
	documents, err := documentsText(s.Order)
	if err != nil {
		return arrival{}, fmt.Errorf("encoding the documents of order %d: %w", s.ID, err)
	}
	a.order.Documents = documents
	content := a.order
	content.ReadAt = sql.NullTime{} // when it was read is no part of what was read
	text, err := json.Marshal(struct {
		Order          orderRow
		Lines          []lineRow
		ShipTo, BillTo int64
	}{content, a.lines, s.ShipTo, s.BillTo})
	if err != nil {
		return arrival{}, fmt.Errorf("encoding order %d: %w", s.ID, err)
	}
	sum := sha256.Sum256(text)
	a.order.Digest = hex.EncodeToString(sum[:])
	return a, nil
}

// Version is the order.Order.Version that the mirror gives a snapshot, whose lines have their SKUs.
func Version(s order.Snapshot) (string, error) {
	a, err := prepareSnapshot(s)
	return a.order.Digest, err
}

// amountDecimals is what the columns hold; the ERP computes with binary floats and means far less.
const amountDecimals = 6

func amount(d decimal.Decimal) decimal.Decimal { return d.Round(amountDecimals) }

// orderedAt is never NULL, because listings are paged by it.
func orderedAt(s order.Snapshot) time.Time {
	for _, t := range []time.Time{s.OrderedAt, s.CreatedAt} {
		if !t.IsZero() {
			return timestamp(t)
		}
	}
	return time.Unix(0, 0).UTC()
}

// searchText folds texts for a search that ignores case. The databases do not agree on how to: this does it for all.
func searchText(texts ...string) string { return strings.ToLower(strings.Join(texts, "\n")) }
