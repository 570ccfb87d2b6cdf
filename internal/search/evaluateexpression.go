package search

import (
	"fmt"
	"math"
	"slices"
)

// compile returns what an expression gives for a row.
func (e *evaluator) compile(x Expression) (func(*row) Value, error) {
	switch x := x.(type) {
	case Column:
		return func(r *row) Value { return r.value(x.Name) }, nil
	case Constant:
		return func(*row) Value { return x.Value }, nil
	case Arithmetic:
		return e.compileTwo(x.Left, x.Right, func(a, b Value) Value { return calculate(x.Sign, a, b) })
	case Negative:
		return e.compileOne(x.Term, func(v Value) Value { return calculate("-", NumberValue(0), v) })
	case Comparison:
		return e.compileTwo(x.Left, x.Right, func(a, b Value) Value { return truth(x.Sign.holds(a, b)) })
	case Member:
		return e.compileOne(x.Term, func(v Value) Value {
			return truth(slices.ContainsFunc(x.Values, func(other Value) bool { return Sign("=").holds(v, other) }))
		})
	case Wildcard:
		return e.compileOne(x.Term, func(v Value) Value { return truth(!v.null() && x.Pattern.fits(v.String())) })
	case RegexpMatch:
		expression, err := x.Regexp.compile()
		if err != nil {
			return nil, err
		}
		return e.compileOne(x.Term, func(v Value) Value { return truth(!v.null() && expression.MatchString(v.String())) })
	case Negation:
		return e.compileOne(x.Term, func(v Value) Value { return truth(!v.holds()) })
	case Logic:
		return e.compileLogic(x)
	case Call:
		return e.compileCall(x)
	}
	return nil, fmt.Errorf("evaluate the query: no meaning for %T", x)
}

func (e *evaluator) compileOne(x Expression, of func(Value) Value) (func(*row) Value, error) {
	value, err := e.compile(x)
	return func(r *row) Value { return of(value(r)) }, err
}

func (e *evaluator) compileTwo(x, y Expression, of func(a, b Value) Value) (func(*row) Value, error) {
	both, err := e.compileAll([]Expression{x, y})
	return func(r *row) Value { return of(both[0](r), both[1](r)) }, err
}

func (e *evaluator) compileAll(all []Expression) (values []func(*row) Value, err error) {
	for _, x := range all {
		v, err := e.compile(x)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (e *evaluator) compileLogic(x Logic) (func(*row) Value, error) {
	terms, err := e.compileAll(x.Terms)
	return func(r *row) Value {
		for _, t := range terms {
			if t(r).holds() == x.Any {
				return truth(x.Any)
			}
		}
		return truth(!x.Any)
	}, err
}

func (e *evaluator) compileCall(x Call) (func(*row) Value, error) {
	word, ok := functionNamed(x.Function, e.setting.Now)
	if !ok {
		return nil, fmt.Errorf("evaluate the query: no function %q", x.Function)
	}
	args, err := e.compileAll(x.Args)
	return func(r *row) Value {
		values := make([]Value, len(args))
		for i, a := range args {
			values[i] = a(r)
		}
		v := word.of(values)
		if x.kind == KindText {
			v = v.asText()
		}
		return v
	}, err
}

// calculate returns null where a side is no number or the outcome is not finite.
func calculate(sign string, a, b Value) Value {
	x, xIs := a.Number()
	y, yIs := b.Number()
	if !xIs || !yIs {
		return Value{}
	}
	switch sign {
	case "+":
		return NumberValue(x + y)
	case "-":
		return NumberValue(x - y)
	case "*":
		return NumberValue(x * y)
	case "/":
		return NumberValue(x / y)
	}
	return NumberValue(math.Mod(x, y))
}
