package search

func (s *stages) sort() error {
	if _, err := s.takeWord("by"); err != nil {
		return err
	}
	var keys []SortKey
	for {
		key, err := s.sortKey()
		if err != nil {
			return err
		}
		keys = append(keys, key)
		if comma, err := s.take(","); err != nil {
			return err
		} else if !comma {
			break
		}
	}
	s.add(Sort{Keys: keys})
	return nil
}

// sortKey reads a column with a + or - before it, or asc or desc after it.
func (s *stages) sortKey() (key SortKey, err error) {
	if key.Ascending, err = s.take("+"); err != nil {
		return key, err
	}
	if !key.Ascending {
		if _, err = s.take("-"); err != nil {
			return key, err
		}
	}
	if key.Column, err = s.column(); err != nil {
		return key, err
	}
	if asc, err := s.takeWord("asc"); asc || err != nil {
		key.Ascending = true
		return key, err
	}
	desc, err := s.takeWord("desc")
	key.Ascending = key.Ascending && !desc
	return key, err
}

// top reads what is understood as an aggregate, a sort and a limit.
func (s *stages) top() error {
	count, err := s.whole(maxCount)
	if err != nil {
		return err
	}
	at := s.token
	columns, err := s.columns()
	if err != nil {
		return err
	}
	by, err := s.takeWord("by")
	if err != nil {
		return err
	}
	var greatest Column
	if s.scope.columns != nil {
		greatest, err = s.greatestColumn(by)
	} else {
		greatest, err = s.topAggregate(at, columns, by)
	}
	if err != nil {
		return err
	}
	s.add(Sort{Keys: []SortKey{{Column: greatest}}})
	s.add(Limit{Count: count})
	return nil
}

// greatestColumn reads the column that decides which rows of a table are on top.
func (s *stages) greatestColumn(by bool) (Column, error) {
	if !by {
		return Column{}, s.expected("by and a column of the table")
	}
	if c, ok := s.scope.resolve("_count"); ok && s.word("count") && !s.known("count") {
		return c, s.advance()
	}
	return s.column()
}

// topAggregate reads what messages are counted by, and adds that as a stage.
func (s *stages) topAggregate(at token, columns []Column, by bool) (Column, error) {
	functions := []AggregateFunction{{Function: "count", Name: "_count"}}
	if by {
		var err error
		if functions, err = s.function(); err != nil {
			return Column{}, err
		}
	}
	if len(functions) > 1 {
		return Column{}, syntaxError(s.query, at.offset, "top by several percentiles: write one")
	}
	if err := s.addAggregate(at, Aggregate{Functions: functions, By: columns}); err != nil {
		return Column{}, err
	}
	return Column{Name: functions[0].Name, kind: functions[0].Kind()}, nil
}

func (s *stages) limit() error {
	count, err := s.whole(maxCount)
	if err != nil {
		return err
	}
	s.add(Limit{Count: count})
	return nil
}

func (s *stages) fields() error {
	except, err := s.take("-")
	if err != nil {
		return err
	}
	at := s.token
	columns, err := s.columns()
	if err != nil {
		return err
	}
	for _, c := range columns {
		if except && s.scope.columns == nil && ofEveryMessage(c.Name) {
			return syntaxError(s.query, at.offset, "%s stays on every message: only fields can be taken away", c)
		}
	}
	s.add(Fields{Columns: columns, Except: except})
	return nil
}

func (s *stages) dedup() (err error) {
	stage := Dedup{Count: 1}
	if s.token.kind == numberToken {
		if stage.Count, err = s.whole(maxCount); err != nil {
			return err
		}
	}
	by, err := s.takeWord("by")
	if err != nil {
		return err
	}
	line, ok := s.scope.resolve("_raw")
	switch {
	case by:
		if stage.By, err = s.columns(); err != nil {
			return err
		}
	case !ok:
		return s.expected("by and columns of the table")
	default:
		stage.By = []Column{line}
	}
	s.add(stage)
	return nil
}
