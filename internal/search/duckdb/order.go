package duckdb

import (
	"math"
	"strconv"

	"github.com/trailhook/trailhook/internal/search"
)

// greatest is the greatest whole number that counts as one: see
// [search.Value.Number]. Longer ones are texts.
const greatest = 999_999_999_999_999

// order adds that a field has a value less or greater than another, as
// [search.Order] has it. It may be NULL where the field has none.
func (c *compiler) order(e search.Order) error {
	name := search.Text(e.Field)
	i, hasColumn := columnOf(name)
	switch {
	case name == search.SignatureField || hasColumn && valueColumns[i].name == "raw":
		return errNotCompiled
	case !hasColumn:
		c.orderText(e, func() { c.listed(name) })
	case !c.stored.odd.has(i):
		c.orderTyped(e, &valueColumns[i])
	default:
		c.add(`(`)
		c.orderTyped(e, &valueColumns[i])
		c.add(` OR `)
		c.orderText(e, func() { c.listed(name) })
		c.add(`)`)
	}
	return nil
}

func (c *compiler) orderTyped(e search.Order, column *valueColumn) {
	if column.kind == text || column.kind == boolean {
		c.orderText(e, func() { c.add(column.sql()) })
		return
	}
	c.orderNumber(e, column)
}

// orderText compares by number if both look like one, else by text, where
// what looks like a number is less.
func (c *compiler) orderText(e search.Order, value func()) {
	bound := search.Fold(e.Value)
	x, isNumber := search.TextValue(bound).Number()
	c.add(`CASE WHEN `)
	value()
	c.add(` IS NULL THEN FALSE WHEN regexp_matches(`)
	value()
	c.add(`, '\A-?[0-9]+(\.[0-9]+)?\z') AND length(translate(`)
	value()
	c.add(`, '-.', '')) <= 15 THEN `)
	if isNumber {
		c.add(`TRY_CAST(`)
		value()
		c.add(` AS DOUBLE) `+string(e.Sign)+` CAST(? AS DOUBLE) ELSE `+truth(isGreater(e.Sign))+` END`, x)
		return
	}
	c.add(truth(!isGreater(e.Sign)) + ` ELSE lower(`)
	value()
	c.add(`) `+string(e.Sign)+` CAST(? AS VARCHAR) END`, bound)
}

func isGreater(s search.Sign) bool { return s == ">" || s == ">=" }

func truth(b bool) string {
	if b {
		return `TRUE`
	}
	return `FALSE`
}

// orderNumber compares whole numbers that are not negative, so that the engine can
// pass over where there are only others.
func (c *compiler) orderNumber(e search.Order, column *valueColumn) {
	value, bound := column.typed(), search.Fold(e.Value)
	x, isNumber := search.TextValue(bound).Number()
	switch {
	case !isNumber && column.kind == small:
		c.add(value + ` IS NOT NULL AND ` + truth(!isGreater(e.Sign)))
		return
	case !isNumber:
		c.add(`CASE WHEN `+value+` > `+strconv.Itoa(greatest)+` THEN `+column.sql()+` `+string(e.Sign)+` CAST(? AS VARCHAR) ELSE `+
			value+` IS NOT NULL AND `+truth(!isGreater(e.Sign))+` END`, bound)
		return
	}
	sign, whole := e.Sign, math.Floor(x)+0 // never -0
	switch {                               // between two whole numbers
	case sign == "<" && whole != x:
		sign = "<="
	case sign == ">=" && whole != x:
		sign = ">"
	}
	largest := float64(greatest)
	if column.kind == small {
		largest = math.MaxUint16
	}
	switch {
	case whole < 0:
		c.add(value + ` IS NOT NULL AND ` + truth(isGreater(sign)))
	case whole > largest:
		c.add(value + ` IS NOT NULL AND ` + truth(!isGreater(sign)))
	default:
		c.add(value+` `+string(sign)+` CAST(? AS `+column.kind.sqlType()+`)`, strconv.FormatFloat(whole, 'f', -1, 64))
	}
}
