package console

import "net/http"

func tokenRoutes() []route {
	own := func(serve func(*visit, holder) error) func(*visit) error {
		return func(v *visit) error {
			me, err := v.self()
			if err != nil {
				return err
			}
			return serve(v, holder{ID: me.ID, FullName: me.Name})
		}
	}
	return []route{
		{"GET /tokens", platform, showTokens},
		{"POST /tokens", platform, own(createOwnToken)},
		{"POST /tokens/revoke", platform, own(func(v *visit, me holder) error { return v.revokeToken(me, "/tokens") })},
		{"POST /tokens/delete", platform, own(func(v *visit, me holder) error { return v.deleteToken(me, "/tokens") })},
	}
}

// ownTokensView is the page of one's own tokens.
type ownTokensView struct {
	Me     self
	Tokens tokensView
}

func showTokens(v *visit) error {
	return v.showOwnTokens(http.StatusOK, func(*tokensView) {})
}

func (v *visit) showOwnTokens(status int, complete func(*tokensView)) error {
	me, err := v.self()
	if err != nil {
		return err
	}
	view := ownTokensView{Me: me}
	if !me.System() {
		if view.Tokens, err = v.tokensOf(holder{ID: me.ID, FullName: me.Name}, me, "/tokens"); err != nil {
			return err
		}
		complete(&view.Tokens)
	}
	return v.showStatus("tokens", status, view)
}

func createOwnToken(v *visit, me holder) error {
	return v.createToken(me, "/tokens", func(form tokenForm, r refusal) error {
		return v.showOwnTokens(r.status, func(view *tokensView) { view.Form, view.refusal = form, r })
	})
}
