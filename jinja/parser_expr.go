package jinja

import "strings"

func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	mark := len(p.strict)
	x, err := p.or()
	if err != nil {
		return nil, err
	}
	for p.isName("if") {
		pos := p.next().pos
		p.strict = p.strict[:mark] // what a condition guards may name filters that are missing
		c := &condExpr{pos: pos, then: x}
		p.soft++
		if c.test, err = p.or(); err == nil && p.skipName("else") {
			c.other, err = p.expression()
		}
		p.soft--
		if err != nil {
			return nil, err
		}
		x = c
	}
	return x, nil
}

func (p *parser) or() (expr, error) {
	left, err := p.and()
	for err == nil && p.isName("or") {
		pos := p.next().pos
		var right expr
		right, err = p.and()
		left = &logicExpr{pos: pos, or: true, a: left, b: right}
	}
	return left, err
}

func (p *parser) and() (expr, error) {
	left, err := p.not()
	for err == nil && p.isName("and") {
		pos := p.next().pos
		var right expr
		right, err = p.not()
		left = &logicExpr{pos: pos, a: left, b: right}
	}
	return left, err
}

func (p *parser) not() (expr, error) {
	if !p.isName("not") {
		return p.compare()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	pos := p.next().pos
	x, err := p.not()
	return &notExpr{pos: pos, x: x}, err
}

var comparisons = map[kind]string{tEq: "==", tNe: "!=", tLt: "<", tLtEq: "<=", tGt: ">", tGtEq: ">="}

func (p *parser) compare() (expr, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	var c *compareExpr
	for {
		t := p.cur()
		op := ""
		switch {
		case t.kind >= tEq && t.kind <= tLtEq:
			op = comparisons[t.kind]
		case p.isName("in"):
			op = "in"
		case p.isName("not") && p.look().kind == tName && p.look().text == "in":
			p.next()
			op = "not in"
		}
		if op == "" {
			break
		}
		p.next()
		x, err := p.sum()
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = &compareExpr{pos: t.pos, first: first}
		}
		c.rest = append(c.rest, operand{op: op, x: x, pos: t.pos})
	}
	if c == nil {
		return first, nil
	}
	return c, nil
}

func (p *parser) binary(sub func() (expr, error), kinds ...kind) (expr, error) {
	left, err := sub()
	for err == nil {
		t := p.cur()
		found := false
		for _, k := range kinds {
			found = found || t.kind == k
		}
		if !found {
			break
		}
		p.next()
		var right expr
		right, err = sub()
		left = &binaryExpr{pos: t.pos, op: t.kind, a: left, b: right}
	}
	return left, err
}

func (p *parser) sum() (expr, error) { return p.binary(p.concat, tAdd, tSub) }

func (p *parser) concat() (expr, error) {
	x, err := p.product()
	if err != nil || !p.is(tTilde) {
		return x, err
	}
	c := &concatExpr{pos: p.cur().pos, parts: []expr{x}}
	for p.skip(tTilde) {
		x, err := p.product()
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, x)
	}
	return c, nil
}

func (p *parser) product() (expr, error) { return p.binary(p.power, tMul, tDiv, tFloorDiv, tMod) }

// power groups to the left, unlike Python: so does Jinja.
func (p *parser) power() (expr, error) {
	return p.binary(func() (expr, error) { return p.unary(true) }, tPow)
}

func (p *parser) unary(filters bool) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var x expr
	var err error
	mark := len(p.pending)
	if t := p.cur(); t.kind == tSub || t.kind == tAdd {
		p.next()
		if x, err = p.unary(false); err == nil {
			x = &unaryExpr{pos: t.pos, op: t.kind, x: x}
		}
	} else {
		x, err = p.primary()
	}
	if err == nil {
		x, err = p.postfix(x)
	}
	if err == nil && filters {
		x, err = p.filtersAndTests(x, mark)
	}
	return x, err
}

func (p *parser) primary() (expr, error) {
	t := p.cur()
	switch t.kind {
	case tName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constExpr{pos: t.pos, v: true}, nil
		case "false", "False":
			return &constExpr{pos: t.pos, v: false}, nil
		case "none", "None":
			return &constExpr{pos: t.pos, v: nil}, nil
		}
		return p.load(t), nil
	case tString:
		p.next()
		parts := []string{t.text}
		for p.is(tString) {
			parts = append(parts, p.next().text)
		}
		return &constExpr{pos: t.pos, v: strings.Join(parts, "")}, nil
	case tInteger, tFloat:
		p.next()
		return &constExpr{pos: t.pos, v: t.val}, nil
	case tLParen:
		p.next()
		x, err := p.tupleIn(true)
		if err == nil {
			_, err = p.expect(tRParen)
		}
		return x, err
	case tLBracket:
		return p.list()
	case tLBrace:
		return p.dict()
	}
	return nil, p.fail(t.pos, "unexpected '%s'", t.describe())
}

// load is a name that is read.
func (p *parser) load(t token) *nameExpr {
	n := &nameExpr{pos: t.pos, name: t.text, id: p.id(t.text), block: p.block}
	p.pending = append(p.pending, n)
	return n
}

// tuple reads "a" or "a, b"; ends are names that end it besides the tag's end.
func (p *parser) tuple(conditions bool, ends []string) (expr, error) {
	item := p.expression
	if !conditions {
		item = p.or
	}
	return p.tupleOf(item, ends, false)
}

func (p *parser) tupleIn(parentheses bool) (expr, error) {
	return p.tupleOf(p.expression, nil, parentheses)
}

func (p *parser) tupleOf(item func() (expr, error), ends []string, parentheses bool) (expr, error) {
	pos := p.cur().pos
	var items []expr
	comma := false
	for {
		if len(items) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
		}
		t := p.cur()
		if t.kind == tVariableEnd || t.kind == tBlockEnd || t.kind == tRParen || t.kind == tName && contains(ends, t.text) {
			break
		}
		x, err := item()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.is(tComma) {
			break
		}
		comma = true
	}
	if !comma {
		if len(items) == 1 {
			return items[0], nil
		}
		if !parentheses {
			return nil, p.fail(p.cur().pos, "Expected an expression, got '%s'", p.cur().describe())
		}
	}
	return &tupleExpr{pos: pos, items: items}, nil
}

func (p *parser) list() (expr, error) {
	x := &listExpr{pos: p.next().pos}
	for !p.is(tRBracket) {
		if len(x.items) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
			if p.is(tRBracket) {
				break
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		x.items = append(x.items, item)
	}
	_, err := p.expect(tRBracket)
	return x, err
}

func (p *parser) dict() (expr, error) {
	x := &dictExpr{pos: p.next().pos}
	for !p.is(tRBrace) {
		if len(x.keys) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
			if p.is(tRBrace) {
				break
			}
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if _, err := p.expect(tColon); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		x.keys, x.vals = append(x.keys, k), append(x.vals, v)
	}
	_, err := p.expect(tRBrace)
	return x, err
}

func (p *parser) postfix(x expr) (expr, error) {
	for depth := 0; ; depth++ {
		if depth > maxParseDepth {
			return nil, p.fail(p.cur().pos, "the template nests more than %d levels deep", maxParseDepth)
		}
		var err error
		switch p.cur().kind {
		case tDot:
			x, err = p.attribute(x)
		case tLBracket:
			x, err = p.subscript(x)
		case tLParen:
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) attribute(x expr) (expr, error) {
	p.next()
	t := p.next()
	switch t.kind {
	case tName:
		return &attrExpr{pos: t.pos, x: x, name: t.text}, nil
	case tInteger:
		return &itemExpr{pos: t.pos, x: x, key: &constExpr{pos: t.pos, v: t.val}}, nil
	}
	return nil, p.fail(t.pos, "expected name or number")
}

func (p *parser) subscript(x expr) (expr, error) {
	pos := p.next().pos
	var args []expr
	for !p.is(tRBracket) {
		if len(args) > 0 {
			if _, err := p.expect(tComma); err != nil {
				return nil, err
			}
		}
		a, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	p.next()
	if len(args) == 1 {
		if s, ok := args[0].(*sliceExpr); ok {
			s.x = x
			return s, nil
		}
		return &itemExpr{pos: pos, x: x, key: args[0]}, nil
	}
	return &itemExpr{pos: pos, x: x, key: &tupleExpr{pos: pos, items: args}}, nil
}

func (p *parser) subscribed() (expr, error) {
	s := &sliceExpr{pos: p.cur().pos}
	var err error
	if !p.is(tColon) {
		x, err := p.expression()
		if err != nil || !p.is(tColon) {
			return x, err
		}
		s.from = x
	}
	p.next()
	part := func() (expr, error) {
		if p.is(tColon) || p.is(tRBracket) || p.is(tComma) {
			return nil, nil
		}
		return p.expression()
	}
	if s.to, err = part(); err != nil {
		return nil, err
	}
	if p.skip(tColon) {
		s.step, err = part()
	}
	return s, err
}

func (p *parser) call(x expr) (expr, error) {
	p.code.noteCall(x)
	args, err := p.arguments()
	if fn, ok := x.(*nameExpr); ok && err == nil && len(args.pos) > 0 {
		if first, ok := literal(args.pos[0]); ok {
			p.code.calls = append(p.code.calls, calling{fn.name, first, args.pos[0].at(), p.soft > 0})
		}
	}
	return &callExpr{pos: x.at(), fn: x, args: args, block: p.block}, err
}

// literal gives the text of an expression that is nothing else.
func literal(x expr) (string, bool) {
	c, ok := x.(*constExpr)
	if !ok {
		return "", false
	}
	s, ok := c.v.(string)
	return s, ok
}

func (p *parser) arguments() (arguments, error) {
	var a arguments
	open := p.next()
	bad := func() error { return p.fail(open.pos, "invalid syntax for function call expression") }
	for n := 0; !p.is(tRParen); n++ {
		if n > 0 {
			if _, err := p.expect(tComma); err != nil {
				return a, err
			}
			if p.is(tRParen) {
				break
			}
		}
		var err error
		switch {
		case p.is(tMul):
			if a.star != nil || a.starStar != nil {
				return a, bad()
			}
			p.next()
			a.star, err = p.expression()
		case p.is(tPow):
			if a.starStar != nil {
				return a, bad()
			}
			p.next()
			a.starStar, err = p.expression()
		case p.is(tName) && p.look().kind == tAssign:
			if a.starStar != nil {
				return a, bad()
			}
			name := p.next().text
			p.next()
			var x expr
			x, err = p.expression()
			a.names, a.named = append(a.names, name), append(a.named, x)
		default:
			if a.star != nil || a.starStar != nil || len(a.names) > 0 {
				return a, bad()
			}
			var x expr
			x, err = p.expression()
			a.pos = append(a.pos, x)
		}
		if err != nil {
			return a, err
		}
	}
	_, err := p.expect(tRParen)
	return a, err
}

// filtersAndTests reads | filter, is test and calls behind an operand whose names began at mark.
func (p *parser) filtersAndTests(x expr, mark int) (expr, error) {
	for depth := 0; ; depth++ {
		if depth > maxParseDepth {
			return nil, p.fail(p.cur().pos, "the template nests more than %d levels deep", maxParseDepth)
		}
		var err error
		switch {
		case p.is(tPipe):
			p.next()
			x, err = p.filter(x, mark)
		case p.isName("is"):
			x, err = p.test(x, mark)
		case p.is(tLParen):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) dotted() (string, int, error) {
	t, err := p.expect(tName)
	if err != nil {
		return "", 0, err
	}
	parts := []string{t.text}
	for p.skip(tDot) {
		n, err := p.expect(tName)
		if err != nil {
			return "", 0, err
		}
		parts = append(parts, n.text)
	}
	return strings.Join(parts, "."), t.pos, nil
}

// filter reads a filter behind its bar; x is nil for a filter block.
func (p *parser) filter(x expr, mark int) (expr, error) {
	name, pos, err := p.dotted()
	if err != nil {
		return nil, err
	}
	f := &filterExpr{pos: pos, name: name, x: x, block: p.block, fn: p.env.filters[name]}
	p.code.filters = append(p.code.filters, use{name, pos, p.soft > 0})
	if f.fn == nil && p.soft == 0 {
		p.strict = append(p.strict, unknown{"filter", name, pos})
	}
	if name == "default" || name == "d" {
		p.guarded(mark)
	}
	if p.is(tLParen) {
		f.args, err = p.arguments()
	}
	return f, err
}

// guarded marks the names of an operand as ones that may be undefined.
func (p *parser) guarded(mark int) {
	for _, n := range p.pending[mark:] {
		n.guarded = true
	}
}

func (p *parser) test(x expr, mark int) (expr, error) {
	p.next()
	negated := p.skipName("not")
	name, pos, err := p.dotted()
	if err != nil {
		return nil, err
	}
	t := &testExpr{pos: pos, name: name, x: x, block: p.block, fn: p.env.tests[name], negated: negated}
	p.code.tests = append(p.code.tests, use{name, pos, p.soft > 0})
	if t.fn == nil && p.soft == 0 {
		p.strict = append(p.strict, unknown{"test", name, pos})
	}
	if name == "defined" || name == "undefined" {
		p.guarded(mark)
	}
	switch c := p.cur(); c.kind {
	case tLParen:
		t.args, err = p.arguments()
	case tName, tString, tInteger, tFloat, tLBracket, tLBrace:
		if p.isName("else") || p.isName("or") || p.isName("and") {
			break
		}
		if p.isName("is") {
			return nil, p.fail(c.pos, "You cannot chain multiple tests with is")
		}
		var arg expr
		if arg, err = p.primary(); err == nil {
			if arg, err = p.postfix(arg); err == nil {
				t.args.pos = []expr{arg}
			}
		}
	}
	return t, err
}
