package api

import (
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// standby passes a request on to the leader.
func (s *Server) standby(w http.ResponseWriter, r *http.Request) {
	leader := s.Leader()
	switch {
	case leader == "" || leader == s.ID:
		// Elected but not ready yet, or nobody leads.
		htmlError(w, r, http.StatusServiceUnavailable, "Service Unavailable")
		return
	case strings.Contains(strings.Join(r.Header.Values("X-Marathon-Via"), ","), s.ID):
		htmlError(w, r, http.StatusBadGateway, "Detected proxying loop.")
		return
	case r.URL.Path == "/v2/events":
		w.Header().Set("Location", "http://"+leader+r.URL.RequestURI())
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusFound)
		return
	case r.Method == http.MethodHead:
		// The real proxy cannot pass HEAD on.
		htmlError(w, r, http.StatusInternalServerError, "Server Error")
		return
	}
	s.forward(w, r, leader)
}

func (s *Server) forward(w http.ResponseWriter, r *http.Request, leader string) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+leader+r.URL.RequestURI(), r.Body)
	if err != nil {
		htmlError(w, r, http.StatusInternalServerError, "Server Error")
		return
	}
	req.Header = r.Header.Clone()
	req.ContentLength = r.ContentLength
	req.Header.Add("X-Marathon-Via", "1.1 "+s.ID)
	if ip, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		req.Header.Add("X-Forwarded-For", ip)
	}
	resp, err := s.client().Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "connection refused") {
			htmlError(w, r, http.StatusBadGateway, "Connection to leader refused.")
			return
		}
		htmlError(w, r, http.StatusGatewayTimeout, "Connection to leader timed out.")
		return
	}
	s.relay(w, r, resp)
}

// relay passes the leader's answer back, with the small changes that the real proxy makes.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, resp *http.Response) {
	defer resp.Body.Close()
	h := w.Header()
	for name, values := range resp.Header {
		if name != "Date" && name != "Connection" && name != "Content-Length" && name != "Expires" {
			h[name] = values
		}
	}
	if id := resp.Header.Get("Marathon-Deployment-Id"); id != "" {
		h.Del("Marathon-Deployment-Id")
		h["marathon-deployment-id"] = []string{id}
	}
	h.Set("Expires", "Wed, 01 Jan 1800 00:00:00 GMT")
	h.Set("X-Marathon-Via", "1.1 "+s.ID)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	reason := ""
	if resp.StatusCode == http.StatusInternalServerError {
		reason = "Server Error"
	}
	writeStatus(w, r, resp.StatusCode, reason, body)
}

func (s *Server) client() *http.Client {
	s.once.Do(func() {
		s.proxy = &http.Client{
			Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, ResponseHeaderTimeout: 10 * time.Second,
				DisableCompression: true, MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return s.proxy
}
