package value

import "context"

// Mapping is a mapping whose entries are made when they are read, such as hostvars.
// Templates read it like a dict.
type Mapping interface {
	Lookup(ctx context.Context, key any) (v any, found bool, err error)
	Keys(ctx context.Context) ([]any, error)
	// TypeName is Python's type(x).__name__.
	TypeName() string
}

// TypeName is the name of v's type in Python: str, int, dict, NoneType ….
func TypeName(v any) string { panic("skeleton") }

// Str is Python's str(v).
func Str(v any) (string, error) { panic("skeleton") }

// Repr is Python's repr(v).
func Repr(v any) (string, error) { panic("skeleton") }

// Truth is Python's bool(v).
func Truth(v any) (bool, error) { panic("skeleton") }

// Equal is Python's a == b.
func Equal(a, b any) (bool, error) { panic("skeleton") }

// Compare orders a and b (-1, 0, 1); what Python does not order is a *Error of kind TypeError.
func Compare(a, b any) (int, error) { panic("skeleton") }

// FromGo turns Go data (structs by their json tags, maps with sorted keys, slices, numbers, text) into a value.
func FromGo(x any) (any, error) { panic("skeleton") }

// ToGo turns a value into plain Go: map[string]any, []any, int, float64, string, bool, nil.
func ToGo(v any) (any, error) { panic("skeleton") }

// DeepCopy copies lists and dicts all the way down.
func DeepCopy(v any) any { panic("skeleton") }

// JSONOptions are the options of Python's json.dumps; the zero value is its default.
type JSONOptions struct {
	Indent   string // "" for one line
	Compact  bool   // separators (',', ':')
	SortKeys bool
	KeepUTF8 bool                     // ensure_ascii=False
	Default  func(v any) (any, error) // for what JSON lacks; nil makes it an error
}

// EncodeJSON gives v as Python's json.dumps prints it.
func EncodeJSON(v any, o JSONOptions) (string, error) { panic("skeleton") }

// DecodeJSON reads JSON as Python's json.loads does: order kept, integers of any size.
func DecodeJSON(text string) (any, error) { panic("skeleton") }

// ParseLiteral is Python's ast.literal_eval; false when text is no literal.
func ParseLiteral(text string) (any, bool) { panic("skeleton") }

// Kind is the Python exception that an Error stands for.
type Kind string

// The kinds.
const (
	TypeError         Kind = "TypeError"
	ValueError        Kind = "ValueError"
	KeyError          Kind = "KeyError"
	IndexError        Kind = "IndexError"
	AttributeError    Kind = "AttributeError"
	ZeroDivisionError Kind = "ZeroDivisionError"
	OverflowError     Kind = "OverflowError"
)

// Error is what Python would raise.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error { panic("skeleton") }
