package jinja

// kind is the kind of a token.
type kind uint8

const (
	tEOF kind = iota
	tData
	tVariableBegin
	tVariableEnd
	tBlockBegin
	tBlockEnd
	tName
	tString
	tInteger
	tFloat
	tAdd
	tSub
	tMul
	tDiv
	tFloorDiv
	tMod
	tPow
	tTilde
	tLBracket
	tRBracket
	tLParen
	tRParen
	tLBrace
	tRBrace
	tEq
	tNe
	tGt
	tGtEq
	tLt
	tLtEq
	tAssign
	tDot
	tColon
	tPipe
	tComma
	tSemicolon
)

// words describe tokens in messages, as Jinja does.
var words = [...]string{
	tEOF: "end of template", tData: "template data / text",
	tVariableBegin: "begin of print statement", tVariableEnd: "end of print statement",
	tBlockBegin: "begin of statement block", tBlockEnd: "end of statement block",
	tName: "name", tString: "string", tInteger: "integer", tFloat: "float",
	tAdd: "+", tSub: "-", tMul: "*", tDiv: "/", tFloorDiv: "//", tMod: "%", tPow: "**", tTilde: "~",
	tLBracket: "[", tRBracket: "]", tLParen: "(", tRParen: ")", tLBrace: "{", tRBrace: "}",
	tEq: "==", tNe: "!=", tGt: ">", tGtEq: ">=", tLt: "<", tLtEq: "<=", tAssign: "=",
	tDot: ".", tColon: ":", tPipe: "|", tComma: ",", tSemicolon: ";",
}

type token struct {
	kind kind
	pos  int // byte offset in the source
	text string
	val  any // of a number
}

func (t token) describe() string {
	if t.kind == tName {
		return t.text
	}
	return words[t.kind]
}
