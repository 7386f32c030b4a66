package order

import "strings"

// The modules whose entries only the gateway writes, and the one of its operators.
const (
	ModuleOrder       = "order"
	ModuleInventory   = "inventory"
	ModuleBilling     = "billing"
	ModulePayment     = "payment"
	ModuleProcurement = "procurement"
	ModuleOperator    = "operator"
)

// Codes of the entries that the gateway writes, beside "order:" and a Status for each status that an order comes to. They are
// part of the API; docs/statuses.md says what each means.
const (
	HistoryPlaced         = "order:placed"          // the gateway placed the order
	HistoryAppeared       = "order:appeared"        // the order was first seen in the ERP
	HistoryConfirmRefused = "order:confirm_refused" // asked to confirm at placing, and it was not possible
	HistoryCancelRefused  = "order:cancel_refused"  // called off while in doubt, and the ERP would not cancel it
	HistoryReason         = "order:reason"          // why somebody did what the entry before says
	HistoryChanged        = "order:changed"         // a caller changed it through the gateway
	HistoryEdited         = "order:edited"          // the order is no longer as its caller sent it, or in another way
	HistoryUnedited       = "order:unedited"        // it is again as its caller sent it
	HistoryDeleted        = "order:deleted"         // the ERP no longer has it
	HistoryRestored       = "order:restored"        // it was marked deleted, and the ERP has it
	HistoryAdopted        = "order:adopted"         // another system's table says who placed it
	HistoryNoted          = "order:noted"           // what an earlier system wrote, in its own words

	HistoryDeliveryCreated   = "inventory:delivery_created"
	HistoryDeliveryCancelled = "inventory:delivery_cancelled"
	HistoryDeliveryReopened  = "inventory:delivery_reopened"
	HistoryDeliveryDeleted   = "inventory:delivery_deleted" // or a return
	HistoryShipped           = "inventory:shipped"
	HistoryTracked           = "inventory:tracked" // the tracking number of what was shipped is another
	HistoryShipmentNoted     = "inventory:noted"   // what whoever sent goods out through the gateway has to say of them
	HistoryReturnCreated     = "inventory:return_created"
	HistoryReturnCancelled   = "inventory:return_cancelled"
	HistoryReturnReopened    = "inventory:return_reopened"
	HistoryReturned          = "inventory:returned"

	HistoryAssigned = "inventory:assigned" // the order is sent from another warehouse
	HistoryReserved = "inventory:reserved" // all that is to go out is held in the warehouse
	HistoryShort    = "inventory:short"    // less is, or was free when the order was placed
	HistoryReleased = "inventory:released" // nothing is held any more

	HistoryInvoiceCreated      = "billing:invoice_created"
	HistoryInvoicePosted       = "billing:invoice_posted"
	HistoryInvoiceCancelled    = "billing:invoice_cancelled"
	HistoryInvoiceReopened     = "billing:invoice_reopened" // posted or cancelled, and a draft again
	HistoryInvoiceDeleted      = "billing:invoice_deleted"  // or a credit note
	HistoryCreditNoteCreated   = "billing:credit_note_created"
	HistoryCreditNotePosted    = "billing:credit_note_posted"
	HistoryCreditNoteCancelled = "billing:credit_note_cancelled"
	HistoryCreditNoteReopened  = "billing:credit_note_reopened"

	HistoryPartlyPaid    = "payment:partial"
	HistoryInPayment     = "payment:in_payment" // paid, and not yet seen at the bank
	HistoryPaid          = "payment:paid"
	HistoryReversed      = "payment:reversed"       // a credit note took the invoice back
	HistoryPaymentUndone = "payment:undone"         // a payment was taken off the invoice or credit note again
	HistoryPartlySettled = "payment:credit_partial" // a credit note was refunded, or set off against an invoice, in part
	HistorySettled       = "payment:credit_settled" // all of it

	HistoryProcurementOrdered   = "procurement:ordered" // a purchase order was made for the order
	HistoryProcurementConfirmed = "procurement:confirmed"
	HistoryProcurementDelayed   = "procurement:delayed"
	HistoryProcurementReceived  = "procurement:received"
	HistoryProcurementCancelled = "procurement:cancelled"
)

// StatusCode is the code of the entry that says that an order came to a status.
func StatusCode(s Status) string { return ModuleOrder + ":" + string(s) }

// Categories of the gateway's entries.
const (
	CategoryLifecycle   = "lifecycle"
	CategoryEdit        = "edit"
	CategoryFulfilment  = "fulfilment"
	CategoryReturn      = "return"
	CategoryInvoice     = "invoice"
	CategoryPayment     = "payment"
	CategoryProcurement = "procurement"
	CategoryGeneral     = "general" // of entries that a module wrote without saying one
)

// categories of the codes; where one is not named, the module's stands.
var categories = map[string]string{
	ModuleOrder: CategoryLifecycle, HistoryChanged: CategoryEdit, HistoryEdited: CategoryEdit, HistoryUnedited: CategoryEdit,
	ModuleInventory: CategoryFulfilment, HistoryReturnCreated: CategoryReturn, HistoryReturnCancelled: CategoryReturn,
	HistoryReturnReopened: CategoryReturn, HistoryReturned: CategoryReturn,
	ModuleBilling: CategoryInvoice, ModulePayment: CategoryPayment, ModuleProcurement: CategoryProcurement,
}

// severities of the codes that are not Info.
var severities = map[string]Severity{
	HistoryConfirmRefused: Warning, HistoryCancelRefused: Warning, HistoryEdited: Warning, HistoryDeleted: Warning,
	HistoryPaymentUndone: Warning, HistoryShort: Warning, HistoryProcurementDelayed: Warning, HistoryProcurementCancelled: Warning,
}

// Entry begins an entry of the gateway's own, with the category and severity of its code.
func Entry(orderID int64, code string) HistoryEntry {
	module, _, _ := strings.Cut(code, ":")
	e := HistoryEntry{OrderID: orderID, Code: code, Category: categories[module], Severity: Info}
	if category, named := categories[code]; named {
		e.Category = category
	}
	if severity, named := severities[code]; named {
		e.Severity = severity
	}
	return e
}
