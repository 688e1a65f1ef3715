package jinja

// expr is an expression of the syntax tree, ready to be evaluated.
type expr interface {
	eval(f *frame) (any, error)
	at() int // byte offset in the source
}

// node is a statement.
type node interface {
	exec(f *frame) (signal, error)
}

// signal leaves a loop body early.
type signal uint8

const (
	sigNone signal = iota
	sigBreak
	sigContinue
)

// code is a compiled template or expression, without its name.
type code struct {
	src        string
	expression bool
	root       *block
	slots      int
	names      []string // by id
	body       []node
	expr       expr
	blocks     map[string]*blockCode
	extends    bool
	mutates    bool // it may alter values of the Scope
	plain      bool // see isPlain
	reads      []*nameExpr
	filters    []use
	tests      []use
	calls      []calling
	binds      []string
	templates  []use // that are included, imported or extended by a literal name
}

// calling is a call of a plain name, and its first argument where that is a literal text.
type calling struct {
	fn, first string
	pos       int
	guarded   bool
}

// use is a filter or test and where it is used.
type use struct {
	name    string
	pos     int
	guarded bool
}

type (
	constExpr struct {
		pos int
		v   any
	}
	nameExpr struct {
		pos     int
		name    string
		id      int
		block   *block
		refs    []ref
		guarded bool
	}
	attrExpr struct {
		pos  int
		x    expr
		name string
	}
	itemExpr struct {
		pos    int
		x, key expr
	}
	sliceExpr struct {
		pos            int
		x              expr
		from, to, step expr
	}
	arguments struct {
		pos            []expr
		names          []string
		named          []expr
		star, starStar expr
	}
	callExpr struct {
		pos   int
		fn    expr
		args  arguments
		block *block
	}
	filterExpr struct {
		pos   int
		name  string
		x     expr
		args  arguments
		fn    *function
		block *block
	}
	testExpr struct {
		pos     int
		name    string
		x       expr
		args    arguments
		fn      *function
		block   *block
		negated bool
	}
	unaryExpr struct {
		pos int
		op  kind
		x   expr
	}
	binaryExpr struct {
		pos  int
		op   kind
		a, b expr
	}
	operand struct {
		op  string
		x   expr
		pos int
	}
	compareExpr struct {
		pos   int
		first expr
		rest  []operand
	}
	logicExpr struct {
		pos  int
		or   bool
		a, b expr
	}
	notExpr struct {
		pos int
		x   expr
	}
	concatExpr struct {
		pos   int
		parts []expr
	}
	condExpr struct {
		pos               int
		test, then, other expr
	}
	tupleExpr struct {
		pos   int
		items []expr
	}
	listExpr struct {
		pos   int
		items []expr
	}
	dictExpr struct {
		pos        int
		keys, vals []expr
	}
	// capturedExpr is the text of the block that a filter block or set block is about.
	capturedExpr struct {
		pos int
	}
)

func (x *constExpr) at() int    { return x.pos }
func (x *nameExpr) at() int     { return x.pos }
func (x *attrExpr) at() int     { return x.pos }
func (x *itemExpr) at() int     { return x.pos }
func (x *sliceExpr) at() int    { return x.pos }
func (x *callExpr) at() int     { return x.pos }
func (x *filterExpr) at() int   { return x.pos }
func (x *testExpr) at() int     { return x.pos }
func (x *unaryExpr) at() int    { return x.pos }
func (x *binaryExpr) at() int   { return x.pos }
func (x *compareExpr) at() int  { return x.pos }
func (x *logicExpr) at() int    { return x.pos }
func (x *notExpr) at() int      { return x.pos }
func (x *concatExpr) at() int   { return x.pos }
func (x *condExpr) at() int     { return x.pos }
func (x *tupleExpr) at() int    { return x.pos }
func (x *listExpr) at() int     { return x.pos }
func (x *dictExpr) at() int     { return x.pos }
func (x *capturedExpr) at() int { return x.pos }

// kindOf names an expression in a message about assignment.
func kindOf(x expr) string {
	switch x.(type) {
	case *constExpr:
		return "const"
	case *listExpr:
		return "list"
	case *dictExpr:
		return "dict"
	}
	return "expression"
}

type (
	textNode struct {
		text string
	}
	printNode struct {
		pos int
		x   expr
	}
	groupNode struct {
		stmts []node
	}
	forNode struct {
		pos       int
		target    target
		iter      expr
		test      expr
		recursive bool
		body      *block
		loopSlot  int
		stmts     []node
		elseBlock *block
		els       []node
	}
	arm struct {
		test  expr
		stmts []node
	}
	ifNode struct {
		arms []arm
		els  []node
	}
	setNode struct {
		pos    int
		target target
		x      expr
	}
	setBlockNode struct {
		pos      int
		target   target
		captured *capturedExpr
		x        expr
		body     *block
		stmts    []node
	}
	filterNode struct {
		pos      int
		captured *capturedExpr
		x        expr
		body     *block
		stmts    []node
	}
	withNode struct {
		pos     int
		targets []target
		values  []expr
		body    *block
		stmts   []node
	}
	macroArg struct {
		name string
		slot int
		def  expr
	}
	// macroCode is the body of a macro or call block. The slots of varargs, kwargs and caller are kept
	// plus one; 0 means that the body does not use it.
	macroCode struct {
		name                    string
		pos                     int
		code                    *code
		scope                   *block
		args                    []macroArg
		stmts                   []node
		varargs, kwargs, caller int
	}
	macroNode struct {
		pos  int
		slot int
		fn   *macroCode
	}
	callNode struct {
		pos  int
		call *callExpr
		fn   *macroCode
	}
	blockCode struct {
		name             string
		pos              int
		code             *code
		scoped, required bool
		scope            *block
		stmts            []node
	}
	blockNode struct {
		pos   int
		b     *blockCode
		outer *block
	}
	extendsNode struct {
		pos int
		x   expr
	}
	includeNode struct {
		pos                        int
		x                          expr
		block                      *block
		ignoreMissing, withContext bool
	}
	imported struct {
		name string
		slot int
	}
	// importNode is import (slot) or from (names).
	importNode struct {
		pos         int
		x           expr
		slot        int
		names       []imported
		block       *block
		withContext bool
	}
	doNode struct {
		x expr
	}
	autoescapeNode struct {
		pos   int
		x     expr
		body  *block
		stmts []node
	}
	controlNode struct {
		signal signal
	}
)

// target is what a value is assigned to.
type target interface {
	assign(f *frame, v any) error
}

type (
	nameTarget struct {
		slot int
	}
	tupleTarget struct {
		pos   int
		items []target
	}
	attrTarget struct {
		pos  int
		ns   *nameExpr
		name string
	}
)
