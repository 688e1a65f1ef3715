package filters

import (
	"context"
	"slices"

	"github.com/jmespath-community/go-jmespath/pkg/parsing"

	"github.com/hostlerhq/hostler/jinja"
	"github.com/hostlerhq/hostler/jinja/value"
)

// json_query: a library parses JMESPath. Its interpreter works on Go's maps, which have no order, so the one here works
// on values as they are: entries keep their order and whole numbers stay whole, as with Python's jmespath 1.0, whose
// functions and errors these are.

func jsonQuery(c *jinja.Call) (any, error) {
	text, err := c.Text(c.Args[0])
	if err != nil {
		return nil, err
	}
	tree, err := parsing.NewParser().Parse(text)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "JMESPathError in json_query filter plugin:\n%v", err)
	}
	out, err := (&query{ctx: c.Ctx}).eval(tree, c.Value)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "JMESPathError in json_query filter plugin:\n%v", err)
	}
	return out, nil
}

// query evaluates one expression of JMESPath.
type query struct{ ctx context.Context }

// expref is &expression, an argument of functions.
type expref struct {
	q    *query
	node parsing.ASTNode
}

func (x *expref) of(v any) (any, error) { return x.q.eval(x.node, v) }

func (q *query) eval(n parsing.ASTNode, v any) (any, error) {
	switch n.NodeType {
	case parsing.ASTIdentity, parsing.ASTCurrentNode:
		return v, nil
	case parsing.ASTField:
		return q.field(v, n.Value)
	case parsing.ASTLiteral:
		return wholeNumbers(n.Value)
	case parsing.ASTIndex:
		l, _ := v.(*value.List)
		i, _ := n.Value.(int)
		if i < 0 {
			i += l.Len()
		}
		if l == nil || i < 0 || i >= l.Len() {
			return nil, nil
		}
		return l.Items[i], nil
	case parsing.ASTSlice:
		return querySlice(v, n.Value)
	case parsing.ASTSubexpression, parsing.ASTIndexExpression, parsing.ASTPipe:
		var err error
		for _, child := range n.Children {
			if v, err = q.eval(child, v); err != nil {
				return nil, err
			}
		}
		return v, nil
	case parsing.ASTKeyValPair:
		return q.eval(n.Children[0], v)
	case parsing.ASTExpRef:
		return &expref{q, n.Children[0]}, nil
	case parsing.ASTFunctionExpression:
		args, err := q.all(n.Children, v)
		if err != nil {
			return nil, err
		}
		return callQueryFunction(n.Value.(string), args)
	case parsing.ASTMultiSelectList, parsing.ASTMultiSelectHash:
		return q.multiSelect(n, v)
	case parsing.ASTProjection, parsing.ASTFilterProjection, parsing.ASTValueProjection, parsing.ASTFlatten:
		return q.project(n, v)
	default:
		return q.logic(n, v)
	}
}

// logic evaluates comparisons and what joins them.
func (q *query) logic(n parsing.ASTNode, v any) (any, error) {
	switch n.NodeType {
	case parsing.ASTComparator:
		sides, err := q.all(n.Children, v)
		if err != nil {
			return nil, err
		}
		return queryCompare(n.Value, sides[0], sides[1])
	case parsing.ASTOrExpression, parsing.ASTAndExpression:
		a, err := q.eval(n.Children[0], v)
		if err != nil || queryFalse(a) != (n.NodeType == parsing.ASTOrExpression) {
			return a, err
		}
		return q.eval(n.Children[1], v)
	case parsing.ASTNotExpression:
		a, err := q.eval(n.Children[0], v)
		if err != nil || isNumber(a) { // no number is false, not even 0
			return false, err
		}
		truth, err := value.Truth(a)
		return !truth, err
	}
	return nil, value.Errorf(value.ValueError, "this part of JMESPath is not in version 1.0, which Ansible uses: %s", n.NodeType)
}

func (q *query) all(nodes []parsing.ASTNode, v any) ([]any, error) {
	out := make([]any, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = q.eval(n, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (q *query) field(v, name any) (any, error) {
	switch m := v.(type) {
	case *value.Dict:
		item, _ := m.Get(name)
		return item, nil
	case value.Mapping:
		item, _, err := m.Lookup(q.ctx, name)
		return item, err
	}
	return nil, nil
}

// entries gives a mapping's values, or ok false for what is none.
func (q *query) entries(v any) (items []any, ok bool, err error) {
	switch m := v.(type) {
	case *value.Dict:
		return m.Values(), true, nil
	case value.Mapping:
		keys, err := m.Keys(q.ctx)
		for _, k := range keys {
			if err != nil {
				break
			}
			var item any
			item, _, err = m.Lookup(q.ctx, k)
			items = append(items, item)
		}
		return items, true, err
	}
	return nil, false, nil
}

func (q *query) multiSelect(n parsing.ASTNode, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	items, err := q.all(n.Children, v)
	if err != nil {
		return nil, err
	}
	if n.NodeType == parsing.ASTMultiSelectList {
		return &value.List{Items: items}, nil
	}
	d := value.NewDictSize(len(items))
	for i, child := range n.Children {
		d.Set(child.Value, items[i])
	}
	return d, nil
}

// project applies an expression to each item, but to those that a filter leaves out; what gives null is dropped.
func (q *query) project(n parsing.ASTNode, v any) (any, error) {
	base, err := q.eval(n.Children[0], v)
	if err != nil {
		return nil, err
	}
	var items []any
	if n.NodeType == parsing.ASTValueProjection {
		var ok bool
		if items, ok, err = q.entries(base); !ok || err != nil {
			return nil, err
		}
	} else {
		l, ok := base.(*value.List)
		if !ok {
			return nil, nil
		}
		items = l.Items
	}
	out := &value.List{Items: make([]any, 0, len(items))}
	for _, item := range items {
		switch n.NodeType {
		case parsing.ASTFlatten:
			if inner, ok := item.(*value.List); ok {
				out.Append(inner.Items...)
			} else {
				out.Append(item)
			}
			continue
		case parsing.ASTFilterProjection:
			keep, err := q.eval(n.Children[2], item)
			if err != nil {
				return nil, err
			}
			if queryFalse(keep) {
				continue
			}
		}
		r, err := q.eval(n.Children[1], item)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out.Append(r)
		}
	}
	return out, nil
}

func querySlice(v, bounds any) (any, error) {
	l, ok := v.(*value.List)
	if !ok {
		return nil, nil
	}
	parts := bounds.([]*int)
	n, step := l.Len(), 1
	if parts[2] != nil {
		step = *parts[2]
	}
	if step == 0 {
		return nil, value.Errorf(value.ValueError, "slice step cannot be zero")
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	place := func(p *int, def int) int {
		if p == nil {
			return def
		}
		i := *p
		if i < 0 {
			i += n
		}
		return max(low, min(i, high))
	}
	out := value.NewList()
	if step > 0 {
		for i, end := place(parts[0], low), place(parts[1], high); i < end; i += step {
			out.Append(l.Items[i])
		}
		return out, nil
	}
	for i, end := place(parts[0], high), place(parts[1], low); i > end; i += step {
		out.Append(l.Items[i])
	}
	return out, nil
}

func isNumber(v any) bool {
	switch queryType(v) {
	case "number":
		return true
	}
	return false
}

// queryFalse is what JMESPath takes for false: nothing, or something empty. 0 is not.
func queryFalse(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case *value.List:
		return v.Len() == 0
	case *value.Dict:
		return v.Len() == 0
	}
	return false
}

func queryCompare(op, a, b any) (any, error) {
	switch op {
	case parsing.TOKEQ, parsing.TOKNE:
		same := false
		if _, isBool := a.(bool); isBool == (queryType(b) == "boolean") { // 1 is not true
			var err error
			if same, err = value.Equal(a, b); err != nil {
				return nil, err
			}
		}
		return same == (op == parsing.TOKEQ), nil
	}
	for _, side := range []any{a, b} {
		if t := queryType(side); t != "number" && t != "string" {
			return nil, nil
		}
	}
	for i, tok := range []any{parsing.TOKLT, parsing.TOKLTE, parsing.TOKGT, parsing.TOKGTE} {
		if tok == op {
			return value.Ordered([]string{"<", "<=", ">", ">="}[i], a, b)
		}
	}
	return nil, value.Errorf(value.ValueError, "unknown comparison")
}

// wholeNumbers makes values of a literal's JSON; whole numbers are integers.
func wholeNumbers(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		if n := int(v); float64(n) == v {
			return n, nil
		}
		return v, nil
	case []any:
		out := value.NewList()
		for _, item := range v {
			x, err := wholeNumbers(item)
			if err != nil {
				return nil, err
			}
			out.Append(x)
		}
		return out, nil
	case map[string]any: // the parser has lost the order
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out := value.NewDict()
		for _, k := range keys {
			x, err := wholeNumbers(v[k])
			if err != nil {
				return nil, err
			}
			out.Set(k, x)
		}
		return out, nil
	}
	return value.FromGo(v)
}
