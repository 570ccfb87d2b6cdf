package alert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/trailhook/trailhook/internal/search"
)

// The limits of a condition.
const (
	MinWindow = time.Minute
	MaxWindow = 7 * 24 * time.Hour

	maxCondition = 1000 // bytes
	maxBy        = 5    // fields
	maxDigits    = 15   // of a threshold: what a double carries without loss
)

// countColumn is what a condition calls the number of messages.
const countColumn = "count"

// Condition is when an alert fires: for each group of what was received in the
// window, if the column compares to the threshold as the sign says.
//
//	count > 10 in 5m by src      more than 10 messages of one src in 5 minutes
//	count == 0 in 1h             no message for an hour
//	_avg >= 0.5 in 15m           a column of the query's table
//
// Of a query whose answer is messages, the column is count, and the fields after
// by make the groups. Of a query that aggregates, the column is one of its table's,
// and each row is a group.
type Condition struct {
	Column    string
	Sign      string // > >= < <= == !=
	Threshold float64
	Window    time.Duration
	By        []string
}

// ConditionError says what is wrong with a condition and where.
type ConditionError struct {
	Column  int // in characters, from 1
	Message string
}

func (e *ConditionError) Error() string { return fmt.Sprintf("1:%d: %s", e.Column, e.Message) }

// ParseCondition reads a condition on what the query finds. Its error is a
// *[ConditionError].
func ParseCondition(text string, query search.Query) (Condition, error) {
	p := &conditionParser{text: text}
	if len(text) > maxCondition {
		return Condition{}, p.errorAt(0, "a condition of %d bytes: the limit is %d", len(text), maxCondition)
	}
	return p.condition(query)
}

// String returns the condition in the one form that ParseCondition reads as the same.
func (c Condition) String() string {
	text := conditionName(c.Column) + " " + c.Sign + " " + formatNumber(c.Threshold) + " in " + formatSpan(c.Window)
	for i, name := range c.By {
		text += map[bool]string{true: " by ", false: ", "}[i == 0] + conditionName(name)
	}
	return text
}

// Holds says whether a value compares to the threshold as the condition says.
func (c Condition) Holds(value float64) bool {
	switch c.Sign {
	case ">":
		return value > c.Threshold
	case ">=":
		return value >= c.Threshold
	case "<":
		return value < c.Threshold
	case "<=":
		return value <= c.Threshold
	case "!=":
		return value != c.Threshold
	}
	return value == c.Threshold
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// conditionName writes a name as it stands in a condition.
func conditionName(name string) string {
	if name != "" && name != "in" && name != "by" && wordLength(name) == len(name) {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// wordLength returns how many bytes at the beginning of s belong to a word.
func wordLength(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-", r) {
			return i
		}
	}
	return len(s)
}

type conditionParser struct {
	text   string
	offset int
	token  conditionToken
}

// conditionToken is a word, a name in quotes, a sign, or with no source the end.
type conditionToken struct {
	offset int
	source string
	text   string // of a word or a name, without its quotes
}

func (p *conditionParser) errorAt(offset int, format string, args ...any) error {
	return &ConditionError{Column: utf8.RuneCountInString(p.text[:offset]) + 1, Message: fmt.Sprintf(format, args...)}
}

func (p *conditionParser) expected(what string) error {
	found := "the end of the condition"
	if p.token.source != "" {
		found = p.token.source
	}
	return p.errorAt(p.token.offset, "expected %s, found %s", what, found)
}

// condition reads COLUMN SIGN NUMBER in TIME [by FIELD, …].
func (p *conditionParser) condition(query search.Query) (c Condition, err error) {
	for _, part := range []func(*Condition) error{
		func(*Condition) error { return p.advance() },
		func(c *Condition) error { return p.column(c, query) },
		p.sign, p.threshold, p.window,
		func(c *Condition) error { return p.by(c, query) },
	} {
		if err := part(&c); err != nil {
			return Condition{}, err
		}
	}
	return c, nil
}

func (p *conditionParser) column(c *Condition, query search.Query) error {
	if p.token.text == "" {
		return p.expected("the name of a column, such as count")
	}
	c.Column = p.token.text
	if !query.Aggregates() {
		if c.Column != countColumn {
			return p.errorAt(p.token.offset, "the query finds messages, of which a condition has the column count only, not %s", conditionName(c.Column))
		}
		return p.advance()
	}
	var names []string
	for _, column := range query.Columns() {
		names = append(names, conditionName(column.Name))
		if column.Name == c.Column {
			return p.advance()
		}
	}
	return p.errorAt(p.token.offset, "the query's table has no column %s, only %s", conditionName(c.Column), strings.Join(names, ", "))
}

func (p *conditionParser) sign(c *Condition) error {
	switch c.Sign = p.token.source; c.Sign {
	case ">", ">=", "<", "<=", "==", "!=":
	case "=":
		c.Sign = "=="
	default:
		return p.expected("one of > >= < <= == !=")
	}
	return p.advance()
}

func (p *conditionParser) threshold(c *Condition) error {
	text := p.token.source
	digits := strings.TrimPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	plain := isDigits(whole) && (!point || isDigits(fraction)) && len(whole)+len(fraction) <= maxDigits
	x, err := strconv.ParseFloat(text, 64)
	if !plain || err != nil {
		return p.expected(fmt.Sprintf("a number of at most %d digits", maxDigits))
	}
	c.Threshold = x + 0 // + 0 makes -0 a 0
	return p.advance()
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (p *conditionParser) window(c *Condition) error {
	if p.token.source != "in" {
		return p.expected("in and a time, such as in 5m")
	}
	if err := p.advance(); err != nil {
		return err
	}
	var err error
	if c.Window, err = parseSpan(p.token.source); err != nil {
		return p.expected("a time such as 5m, 24h or 7d")
	}
	if c.Window < MinWindow || c.Window > MaxWindow {
		return p.errorAt(p.token.offset, "a window of %s: %s to %s", p.token.source, formatSpan(MinWindow), formatSpan(MaxWindow))
	}
	return p.advance()
}

func (p *conditionParser) by(c *Condition, query search.Query) error {
	start := p.token.offset
	if p.token.source == "" {
		return nil
	}
	if p.token.source != "by" {
		return p.expected("by and names of fields, or the end")
	}
	switch {
	case query.Aggregates():
		return p.errorAt(start, "the query aggregates, so the rows of its table are the groups: leave by out")
	case c.Holds(0):
		return p.errorAt(start, "a condition that holds for 0 cannot have by: of which group nothing came is not known")
	}
	for separator := "by"; p.token.source == separator; separator = "," {
		if err := p.advance(); err != nil {
			return err
		}
		if p.token.text == "" {
			return p.expected("the name of a field")
		}
		if slices.Contains(c.By, p.token.text) {
			return p.errorAt(p.token.offset, "the field %s is there twice", p.token.source)
		}
		if len(c.By) == maxBy {
			return p.errorAt(p.token.offset, "more than %d fields after by", maxBy)
		}
		c.By = append(c.By, p.token.text)
		if err := p.advance(); err != nil {
			return err
		}
	}
	if p.token.source != "" {
		return p.expected("a comma or the end")
	}
	return nil
}

// advance reads the next token.
func (p *conditionParser) advance() error {
	p.offset += len(p.text[p.offset:]) - len(strings.TrimLeft(p.text[p.offset:], " \t"))
	rest := p.text[p.offset:]
	p.token = conditionToken{offset: p.offset}
	if rest == "" {
		return nil
	}
	for _, sign := range []string{">=", "<=", "==", "!=", ">", "<", "=", ","} {
		if strings.HasPrefix(rest, sign) {
			p.token.source = sign
			p.offset += len(sign)
			return nil
		}
	}
	if rest[0] == '"' {
		return p.name()
	}
	n := wordLength(rest)
	if n == 0 {
		_, size := utf8.DecodeRuneInString(rest)
		return p.errorAt(p.offset, "%q has no place in a condition: put the name of a field that has it in quotes", rest[:size])
	}
	p.token.source, p.token.text = rest[:n], rest[:n]
	p.offset += n
	return nil
}

// name reads a name in quotes.
func (p *conditionParser) name() error {
	var text strings.Builder
	rest := p.text[p.offset:]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && (rest[i+1] == '"' || rest[i+1] == '\\'):
			i++
			text.WriteByte(rest[i])
		case c == '"' && i == 1:
			return p.errorAt(p.offset, "an empty name")
		case c == '"':
			p.token.source, p.token.text = rest[:i+1], text.String()
			p.offset += i + 1
			return nil
		default:
			text.WriteByte(c)
		}
	}
	return p.errorAt(p.offset, "a quote that is not closed")
}
