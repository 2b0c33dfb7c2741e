package audit

import "context"

// byName goes from name to name: of models, backends or endpoints.
func (l *locator) byName(ctx context.Context, offset int64, limit int) ([]Record, error) {
	by := l.view.Sort
	c, err := l.count(ctx, l.filter, by)
	if err != nil {
		return nil, err
	}
	names, offset := needed(inOrder(c.names, l.view.Ascending), offset, limit)
	if len(names) > l.store.limits.parts { // somebody makes them up
		return l.read(ctx, l.all(), l.order(by), limit, offset+c.before(names[0].key, l.view.Ascending))
	}
	return l.eachPart(ctx, len(names), offset, limit, func(i int, offset int64, limit int) ([]Record, error) {
		return l.byStart(ctx, l.filter.only(by, names[i].key), offset, limit)
	})
}

// name is what f says of a column of names; "" if it leaves that open.
func (f Filter) name(column Sort) string {
	switch column {
	case ByModel:
		return f.Model
	case ByBackend:
		return string(f.Backend)
	case ByEndpoint:
		return f.Endpoint
	}
	return ""
}

// only is f for the records with one name in a column, which it left open; that may be "".
func (f Filter) only(column Sort, name string) Filter {
	switch column {
	case ByModel:
		f.Model = name
	case ByBackend:
		f.Backend = Backend(name)
	case ByEndpoint:
		f.Endpoint = name
	}
	if name == "" {
		f.Blank = column
	}
	return f
}

// before counts the records of the names before one.
func (c *census) before(name string, ascending bool) (n int64) {
	for other, k := range c.names {
		if other != name && (other < name) == ascending {
			n += k
		}
	}
	return n
}
