package agent

import "net/http"

func (a *Agent) operator(w http.ResponseWriter, r *http.Request) { leftOut("the v1 operator API")(w, r) }
