package clickhouse

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// greatest is the greatest whole number that counts as one, greatestDigits how many
// digits it has: see [search.Value.Number]. Longer ones are texts.
const (
	greatest       = 999_999_999_999_999
	greatestDigits = 15
)

// order adds that a field has a value less or greater than another, as
// [search.Order] has it.
func (c *compiler) order(e search.Order) {
	name := search.Text(e.Field)
	i, hasColumn := columnOf(name)
	switch {
	case hasColumn && valueColumns[i].name == "raw":
		c.odd = true // lines are not asked for by their order
	case name == search.SignatureField:
		c.orderText(e, c.signature())
	case !hasColumn:
		c.orderText(e, c.listed(name))
	default:
		c.add(`(`)
		if kind := valueColumns[i].kind; kind == text || kind == boolean {
			c.orderText(e, c.held(i))
		} else {
			c.orderNumber(e, &valueColumns[i])
		}
		if c.stored.odd.has(i) {
			c.add(` OR `)
			c.orderText(e, c.listed(name))
		}
		c.add(`)`)
	}
}

// orderText compares by number if both look like one, else by text, where what
// looks like a number is less. The engine reads fractions inexactly, so numbers are
// compared by what is before the point and then by what is behind.
func (c *compiler) orderText(e search.Order, v value) {
	bound := search.Fold(e.Value)
	c.add(`(` + v.present + ` AND if(match(` + v.text + `, '\\A-?[0-9]+(\\.[0-9]+)?\\z') AND length(` + v.text + `) <= ` +
		strconv.Itoa(greatestDigits) + ` + (substring(` + v.text + `, 1, 1) = '-') + (position(` + v.text + `, '.') > 0), `)
	x, isNumber := search.TextValue(bound).Number()
	if !isNumber {
		c.add(truth(!isGreater(e.Sign)) + `, ` + c.folded(v) + ` ` + string(e.Sign) + ` `)
		c.literal(bound)
		c.add(`))`)
		return
	}
	whole, fraction := parts(x)
	c.add(fmt.Sprintf(`(%[1]s %[3]s %[4]d OR %[1]s = %[4]d AND %[2]s %[5]s %[6]d), %[7]s))`,
		wholePart(v.text), fractionPart(v.text), e.Sign[:1], whole, e.Sign, fraction, truth(isGreater(e.Sign))))
}

// wholePart is what is before the point of a number that is a text.
func wholePart(number string) string {
	return `toInt64OrZero(extract(` + number + `, '^-?[0-9]+'))`
}

// fractionPart is what is behind the point, in units of the last digit there may be,
// with the sign of the number.
func fractionPart(number string) string {
	return `(toInt64OrZero(substring(concat(extract(` + number + `, '\\.([0-9]+)'), '000000000000000'), 1, 15)) * if(substring(` + number + `, 1, 1) = '-', -1, 1))`
}

// parts are both of a number of so many digits at most, which have one double each.
func parts(x float64) (whole, fraction int64) {
	_, digits, _ := strings.Cut(strconv.FormatFloat(math.Abs(x), 'f', -1, 64), ".")
	whole = int64(x)
	digits = (digits + "000000000000000")[:greatestDigits]
	fraction, _ = strconv.ParseInt(digits, 10, 64)
	if x < 0 {
		fraction = -fraction
	}
	return whole, fraction
}

func isGreater(s search.Sign) bool { return s == ">" || s == ">=" }

func truth(b bool) string {
	if b {
		return `1`
	}
	return `0`
}

// orderNumber compares whole numbers that are not negative.
func (c *compiler) orderNumber(e search.Order, column *valueColumn) {
	number, bound := column.typed(), search.Fold(e.Value)
	present := `isNotNull("` + column.name + `")`
	x, isNumber := search.TextValue(bound).Number()
	switch {
	case !isNumber && column.kind == small:
		c.add(present + ` AND ` + truth(!isGreater(e.Sign)))
		return
	case !isNumber:
		c.add(present + ` AND if(ifNull(` + number + `, 0) > ` + strconv.Itoa(greatest) + `, ifNull(` + column.sql() + `, '') ` + string(e.Sign) + ` `)
		c.literal(bound)
		c.add(`, ` + truth(!isGreater(e.Sign)) + `)`)
		return
	}
	sign, whole := e.Sign, math.Floor(x)+0 // never -0
	switch {                               // between two whole numbers
	case sign == "<" && whole != x:
		sign = "<="
	case sign == ">=" && whole != x:
		sign = ">"
	}
	if whole < 0 {
		c.add(present + ` AND ` + truth(isGreater(sign)))
		return
	}
	// What has more digits than a number is a text, and greater than any: here too.
	c.add(fmt.Sprintf(`ifNull(%s %s toUInt64(%.0f), 0)`, number, sign, whole))
}
