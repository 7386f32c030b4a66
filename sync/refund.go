package ordersync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"ordergate/odoo"
	"ordergate/order"
)

// planRefund decides what is taken back of which invoice, of the oldest first: the quantities of lines, or what came back and is not
// credited yet.
func (s *Service) planRefund(ctx context.Context, a *attempt, o order.Order) (order.ActionPlan, error) {
	wish := a.in.Action
	if err := s.notTooFine(ctx, wish.Lines); err != nil {
		return order.ActionPlan{}, err
	}
	invoiced, credited, err := s.erp.InvoicedLines(ctx, o.ID)
	if err != nil {
		return order.ActionPlan{}, err
	}
	left := notCredited(invoiced, credited)
	if !slices.ContainsFunc(left, func(l order.InvoicedLine) bool { return l.Quantity.IsPositive() }) {
		return order.ActionPlan{}, nothingToRefund("Nothing of this order is invoiced and not credited already.")
	}
	lines := wish.Lines
	if len(lines) == 0 {
		if lines, err = s.cameBack(ctx, o, left, credited); err != nil {
			return order.ActionPlan{}, err
		}
		if len(lines) == 0 {
			return order.ActionPlan{}, nothingToRefund("Nothing of this order came back that is not credited already. Name the lines to credit others.")
		}
	}
	refund := order.PlannedRefund{Date: wish.Date, Memo: memo(s.tenant.Name, &a.in, shortReason(wish.Reason))}
	for i, l := range lines {
		if err := takeBack(&refund, i, l, left, credited); err != nil {
			return order.ActionPlan{}, err
		}
	}
	return order.ActionPlan{Refund: &refund}, nil
}

// notCredited is what is left of the invoices when the credit notes are taken off, each from the invoice that it names, or from the
// oldest.
func notCredited(invoiced []order.InvoicedLine, credited []order.CreditedLine) []order.InvoicedLine {
	var left []order.InvoicedLine
	for _, l := range invoiced {
		i := slices.IndexFunc(left, func(other order.InvoicedLine) bool { return other.InvoiceID == l.InvoiceID && other.LineID == l.LineID })
		if i < 0 {
			left = append(left, l)
			continue
		}
		left[i].Quantity, left[i].Alike = left[i].Quantity.Add(l.Quantity), left[i].Alike && l.Alike
	}
	for _, named := range []bool{true, false} {
		for _, c := range credited {
			if (c.InvoiceID != 0) != named {
				continue
			}
			quantity := c.Quantity
			for i := range left {
				if left[i].LineID != c.LineID || named && left[i].InvoiceID != c.InvoiceID {
					continue
				}
				taken := decimal.Min(quantity, decimal.Max(decimal.Zero, left[i].Quantity))
				left[i].Quantity, quantity = left[i].Quantity.Sub(taken), quantity.Sub(taken)
			}
		}
	}
	return left
}

// cameBack is what the customer sent back and was not credited for, as far as it was invoiced. What is delivered in parts or in
// another unit is left out: how much of its line came back cannot be said.
func (s *Service) cameBack(ctx context.Context, o order.Order, left []order.InvoicedLine, credited []order.CreditedLine) ([]order.ActionLine, error) {
	sent, _, err := s.erp.SentMoves(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	var lines []order.ActionLine
	for _, l := range o.Lines {
		back, open := decimal.Zero, decimal.Zero
		for _, m := range sent {
			if m.LineID == l.ERPLineID && m.CountsAs(l) {
				back = back.Add(m.Refunded)
			}
		}
		for _, c := range credited {
			if c.LineID == l.ERPLineID {
				back = back.Sub(c.Quantity)
			}
		}
		for _, in := range left {
			if in.LineID == l.ERPLineID {
				open = open.Add(in.Quantity)
			}
		}
		if quantity := decimal.Min(back, open); quantity.IsPositive() {
			lines = append(lines, order.ActionLine{LineID: l.ERPLineID, Quantity: quantity})
		}
	}
	return lines, nil
}

// takeBack adds line i of a refund to its credit notes, and takes it from what is left of the invoices.
func takeBack(refund *order.PlannedRefund, i int, l order.ActionLine, left []order.InvoicedLine, credited []order.CreditedLine) error {
	wanted, all, invoiced := l.Quantity, decimal.Zero, false
	alike := !slices.ContainsFunc(credited, func(c order.CreditedLine) bool { return c.LineID == l.LineID && !c.Alike })
	for j := range left {
		in := &left[j]
		if in.LineID != l.LineID {
			continue
		}
		alike, invoiced, all = alike && in.Alike, true, all.Add(in.Quantity)
		taken := decimal.Min(wanted, in.Quantity)
		if !taken.IsPositive() {
			continue
		}
		wanted, in.Quantity = wanted.Sub(taken), in.Quantity.Sub(taken)
		at := slices.IndexFunc(refund.Credits, func(c order.PlannedCredit) bool { return c.InvoiceID == in.InvoiceID })
		if at < 0 {
			at, refund.Credits = len(refund.Credits), append(refund.Credits, order.PlannedCredit{InvoiceID: in.InvoiceID})
		}
		refund.Credits[at].Lines = append(refund.Credits[at].Lines, order.PlannedCreditLine{LineID: l.LineID, Quantity: taken})
	}
	switch {
	case !invoiced:
		return order.Invalid("unknown_line", fmt.Sprintf("lines[%d].erp_line_id", i), "Nothing is invoiced of a line %d.", l.LineID)
	case !alike:
		return order.Invalid("unit_differs", fmt.Sprintf("lines[%d].erp_line_id", i),
			"Line %d is invoiced in another unit than it is sold in. Credit it in the ERP.", l.LineID)
	case wanted.IsPositive():
		return order.Invalid("more_than_invoiced", fmt.Sprintf("lines[%d].quantity", i), "Of line %d only %s are invoiced and not credited already.", l.LineID, all)
	}
	return nil
}

// maxReason is how much of a reason stands in a credit note's reference.
const maxReason = 100

func shortReason(reason string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	return order.Shorten(line, maxReason)
}

func nothingToRefund(message string) *order.Error {
	return order.Errorf(order.Conflict, "nothing_to_refund", "%s", message)
}

// refund makes the credit notes that are planned and not posted yet.
func (s *Service) refund(ctx context.Context, a *attempt, o order.Order) error {
	plan := a.in.Plan.Action.Refund
	if a.in.Attempts > 1 {
		if err := s.requireUncredited(ctx, *plan, o); err != nil {
			return odoo.NotBegun(err)
		}
	}
	return eachPart(plan.Credits, func(p order.PlannedCredit) error { return s.erp.Credit(ctx, p, plan.Date, plan.Memo) })
}

// requireUncredited refuses a plan of which others have credited a part since, or taken it off another invoice: the ERP would credit it once
// more. A credit note of the plan that is there already is left to the ERP.
func (s *Service) requireUncredited(ctx context.Context, plan order.PlannedRefund, o order.Order) error {
	made, err := s.erp.Refunded(ctx, plan)
	if err != nil {
		return err
	}
	invoiced, credited, err := s.erp.InvoicedLines(ctx, o.ID)
	if err != nil {
		return err
	}
	left := notCredited(invoiced, credited)
	for _, p := range plan.Credits {
		if made[p.InvoiceID].State != "" {
			continue
		}
		for _, l := range p.Lines {
			i := slices.IndexFunc(left, func(in order.InvoicedLine) bool { return in.InvoiceID == p.InvoiceID && in.LineID == l.LineID })
			if i < 0 || left[i].Quantity.LessThan(l.Quantity) {
				return order.Errorf(order.Conflict, "refunded_otherwise",
					"Somebody credited line %d in the ERP meanwhile. Look at the order, and refund what is left with a new key.", l.LineID)
			}
		}
	}
	return nil
}

// refunded reports whether all the credit notes that were planned are posted.
func (s *Service) refunded(ctx context.Context, a *attempt, _ order.Order) (bool, error) {
	if a.in.Plan.Action == nil {
		return false, nil
	}
	plan := a.in.Plan.Action.Refund
	states, err := s.erp.Refunded(ctx, *plan)
	if err != nil {
		return false, err
	}
	for _, p := range plan.Credits {
		switch note := states[p.InvoiceID]; note.State {
		case order.Posted:
			if !note.Has(p.Lines) {
				return false, order.Errorf(order.Conflict, "refunded_otherwise",
					"Somebody posted the credit note in the ERP at the same time, with other quantities. Look at the order, and refund what is left with a new key.")
			}
		case order.DocumentCancelled:
			return false, order.Errorf(order.Conflict, "refunded_otherwise",
				"Somebody cancelled the credit note in the ERP at the same time. Look at the order, and refund what is left with a new key.")
		default:
			return false, nil
		}
	}
	return true, nil
}
