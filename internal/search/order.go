package search

// Order matches a record that has the field, with a value that is less or
// greater than Value: by number if both look like one (see [Value.Number]), else
// by the bytes of their folded texts, where what looks like a number is less
// than what does not.
type Order struct {
	Field string
	Sign  Sign // < <= > >=
	Value string
}

func (Order) expr() {}

func (e Order) String() string {
	return fieldName(e.Field) + string(e.Sign) + Literal(e.Value).String()
}

func (e Order) matches(r *Record) bool {
	value, ok := r.compared(e.Field)
	if !ok {
		return false
	}
	return e.Sign.of(compareValues(TextValue(Fold(value)), TextValue(Fold(e.Value))))
}
