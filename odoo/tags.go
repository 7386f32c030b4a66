package odoo

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A hold and an approval are tags of the order, which people see in Odoo's own lists and may set there. They have external
// ids, so that people may call them as they like; a tag that already bore the name stands for the same.

// holdTags are the ids of the two tags; 0 for one that is not there.
type holdTags struct{ hold, approved int64 }

const (
	holdTagID       = "tag_hold"
	approvedTagID   = "tag_approved"
	holdTagName     = "On hold"
	approvedTagName = "Approved"
)

// tagCache remembers the two tags for a session, and which others were there when they were looked for: a tag that is new
// may be one of the two, made by another process or by people.
type tagCache struct {
	mu     sync.Mutex
	of     *session
	tags   holdTags
	others map[int64]bool
	asked  time.Time
}

const holdTagsLast = 10 * time.Minute

// recall returns what is remembered; known is false if that is of another session, or too old.
func (c *tagCache) recall(s *session, now time.Time) (tags holdTags, others map[int64]bool, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := now.Sub(c.asked)
	return c.tags, c.others, c.of == s && age >= 0 && age < holdTagsLast
}

// HoldTags returns the ids of the tags by which an order is on hold, and approved, and creates those that are absent. An Error
// with reason AccessRights says that the user may not. They are remembered for a while; once SetTags was refused they are looked for anew.
func (c *Client) HoldTags(ctx context.Context) (hold, approved int64, err error) {
	s, err := c.sessionFor(ctx, "crm.tag.load")
	if err != nil {
		return 0, 0, err
	}
	now := c.clock()
	if tags, _, known := c.tags.recall(s, now); known && tags.hold != 0 && tags.approved != 0 {
		return tags.hold, tags.approved, nil
	}
	tags, err := c.findHoldTags(ctx)
	if err != nil {
		return 0, 0, err
	}
	if tags.hold == 0 {
		if tags.hold, err = c.ensureTag(ctx, holdTagID, holdTagName); err != nil {
			return 0, 0, err
		}
	}
	if tags.approved == 0 {
		if tags.approved, err = c.ensureTag(ctx, approvedTagID, approvedTagName); err != nil {
			return 0, 0, err
		}
	}
	c.tags.mu.Lock()
	defer c.tags.mu.Unlock()
	c.tags.of, c.tags.tags, c.tags.others, c.tags.asked = s, tags, nil, now
	return tags.hold, tags.approved, nil
}

// SetTags adds tags to orders, and takes others from them: from all or none. Its success or failure proves little: read the orders afterwards.
func (c *Client) SetTags(ctx context.Context, orderIDs, add, remove []int64) error {
	const unlink, link = 3, 4
	var commands []any
	for _, id := range remove {
		commands = append(commands, []any{unlink, id, 0})
	}
	for _, id := range add {
		commands = append(commands, []any{link, id, 0})
	}
	_, err := c.execute(ctx, "sale.order", "write", []any{anySlice(orderIDs), map[string]any{"tag_ids": commands}}, nil)
	if err != nil { // somebody may have deleted a tag
		c.tags.mu.Lock()
		c.tags.of = nil
		c.tags.mu.Unlock()
	}
	return err
}

// ensureTag creates a tag if it is absent, and returns its id. Names are unique in Odoo: one that another process made
// meanwhile is found by it.
func (c *Client) ensureTag(ctx context.Context, externalID, name string) (int64, error) {
	b := c.newBatch("crm.tag", 1)
	b.add(0, table{columns: []string{"id", "name"}, rows: [][]string{{idPrefix + externalID, name}}})
	loaded := b.load(ctx)[0]
	if loaded.Err == nil {
		return loaded.ID, nil
	}
	if loaded.Err.Outcome != Rejected || loaded.Err.Reason != BusinessRule {
		return 0, loaded.Err
	}
	named, err := c.tagsNamed(ctx, name)
	if err != nil {
		return 0, err
	}
	if named[name] == 0 {
		return 0, loaded.Err
	}
	return named[name], nil
}

// holdTagsAmong returns the two tags for quotations that were read: without asking where those have no tag that was not
// there when it asked last. Without the right to tags there are none.
func (c *Client) holdTagsAmong(ctx context.Context, reads []orderRead) (holdTags, error) {
	var seen []int64
	for i := range reads {
		if !reads[i].isDocumented() {
			seen = append(seen, reads[i].tags...)
		}
	}
	if len(seen) == 0 {
		return holdTags{}, nil
	}
	s, err := c.sessionFor(ctx, "crm.tag.load")
	if err != nil {
		return holdTags{}, err
	}
	now := c.clock()
	tags, others, known := c.tags.recall(s, now)
	isNew := func(id int64) bool { return id != tags.hold && id != tags.approved && !others[id] }
	if known && !slices.ContainsFunc(seen, isNew) {
		return tags, nil
	}
	tags, err = c.findHoldTags(ctx)
	if err != nil && !isReason(err, AccessRights) {
		return holdTags{}, err
	}
	others = make(map[int64]bool, len(seen))
	for _, id := range seen {
		others[id] = true
	}
	c.tags.mu.Lock()
	defer c.tags.mu.Unlock()
	if known {
		for id := range c.tags.others {
			others[id] = true
		}
	}
	c.tags.of, c.tags.tags, c.tags.others, c.tags.asked = s, tags, others, now
	return tags, nil
}

// findHoldTags looks for the two tags, by their external ids and then by their names.
func (c *Client) findHoldTags(ctx context.Context) (tags holdTags, err error) {
	if tags.hold, err = c.withExternalID(ctx, "crm.tag", holdTagID, "name"); err != nil {
		return holdTags{}, err
	}
	if tags.approved, err = c.withExternalID(ctx, "crm.tag", approvedTagID, "name"); err != nil {
		return holdTags{}, err
	}
	if tags.hold != 0 && tags.approved != 0 {
		return tags, nil
	}
	named, err := c.tagsNamed(ctx, holdTagName, approvedTagName)
	if err != nil {
		return holdTags{}, err
	}
	if tags.hold == 0 {
		tags.hold = named[holdTagName]
	}
	if tags.approved == 0 {
		tags.approved = named[approvedTagName]
	}
	return tags, nil
}

// tagsNamed returns the ids of tags by name.
func (c *Client) tagsNamed(ctx context.Context, names ...string) (map[string]int64, error) {
	list, _, err := c.searchRead(ctx, query{model: "crm.tag", domain: domain{condition("name", "in", anySlice(names))}, fields: []string{"name"}})
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(list))
	for i := range list {
		ids[list[i].text("name")] = list[i].id()
	}
	return ids, firstError("crm.tag.search_read", list)
}
