package migrations

import (
	"context"
	"fmt"
)

// surplusRow is a row of orders that must go, with the older row of the same ERP order that stays.
type surplusRow struct {
	id, keptID           int64
	tenantID, erpOrderID int64
}

// plan is what there is to do: ids only, a few dozen bytes for each row that must go. The surplus rows of one ERP order
// stand together, oldest first.
type plan struct {
	surplus []surplusRow
	loose   []LooseRow
}

func (p plan) empty() bool { return len(p.surplus) == 0 && len(p.loose) == 0 }

func (d *deduper) plan(ctx context.Context) (plan, error) {
	surplus, err := d.findSurplus(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("looking for rows that share an ERP order id: %w", err)
	}
	loose, err := d.findLoose(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("looking for rows without an ERP order id: %w", err)
	}
	return plan{surplus: surplus, loose: loose}, nil
}

// findSurplus counts a row without created_at as the newest: nothing says that it is old.
func (d *deduper) findSurplus(ctx context.Context) ([]surplusRow, error) {
	rows, err := d.db.QueryContext(ctx, `
		SELECT id, kept_id, tenant_id, erp_order_id
		FROM (
			SELECT id, tenant_id, erp_order_id, FIRST_VALUE(id) OVER w AS kept_id, ROW_NUMBER() OVER w AS place
			FROM orders
			WHERE erp_order_id > 0
			WINDOW w AS (PARTITION BY tenant_id, erp_order_id ORDER BY created_at IS NULL, created_at, id)
		) ranked
		WHERE place > 1
		ORDER BY tenant_id, erp_order_id, place`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var surplus []surplusRow
	for rows.Next() {
		var r surplusRow
		if err := rows.Scan(&r.id, &r.keptID, &r.tenantID, &r.erpOrderID); err != nil {
			return nil, err
		}
		surplus = append(surplus, r)
	}
	return surplus, rows.Err()
}

// findLoose takes 0 for a missing id, as some systems write it.
func (d *deduper) findLoose(ctx context.Context) ([]LooseRow, error) {
	rows, err := d.db.QueryContext(ctx, `
		SELECT id, tenant_id, COALESCE(number, ''), COALESCE(reference, '')
		FROM orders
		WHERE erp_order_id IS NULL OR erp_order_id <= 0
		ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var loose []LooseRow
	for rows.Next() {
		var r LooseRow
		if err := rows.Scan(&r.RowID, &r.TenantID, &r.Number, &r.Reference); err != nil {
			return nil, err
		}
		loose = append(loose, r)
	}
	return loose, rows.Err()
}

// report counts the plan; nothing has moved yet.
func (p plan) report() DuplicateReport {
	r := DuplicateReport{SurplusRows: int64(len(p.surplus)), RowsWithoutERPID: int64(len(p.loose))}
	for i, row := range p.surplus {
		if i == 0 || row.keptID != p.surplus[i-1].keptID {
			r.DuplicatedOrders++
			if len(r.Duplicates) < ReportLimit {
				r.Duplicates = append(r.Duplicates,
					Duplicate{TenantID: row.tenantID, ERPOrderID: row.erpOrderID, KeptRow: row.keptID})
			}
		}
		if r.DuplicatedOrders <= ReportLimit {
			last := &r.Duplicates[len(r.Duplicates)-1]
			last.OtherRows = append(last.OtherRows, row.id)
		}
	}
	r.WithoutERPID = p.loose[:min(len(p.loose), ReportLimit)]
	return r
}

// include adds what another round found.
func (r *DuplicateReport) include(o DuplicateReport) {
	r.DuplicatedOrders += o.DuplicatedOrders
	r.SurplusRows += o.SurplusRows
	r.RowsWithoutERPID += o.RowsWithoutERPID
	r.Duplicates = append(r.Duplicates, o.Duplicates...)
	r.Duplicates = r.Duplicates[:min(len(r.Duplicates), ReportLimit)]
	r.WithoutERPID = append(r.WithoutERPID, o.WithoutERPID...)
	r.WithoutERPID = r.WithoutERPID[:min(len(r.WithoutERPID), ReportLimit)]
}
