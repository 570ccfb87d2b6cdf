package sumo

import "net/http"

// getMe shows callers the access key that they call with.
func (a *API) getMe(w http.ResponseWriter, r *http.Request) error {
	answer(w, http.StatusOK, showKey(callerOf(r), ""))
	return nil
}
