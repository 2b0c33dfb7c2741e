package gateway

import "testing"

func TestClientOf(t *testing.T) {
	for userAgent, want := range map[string]string{
		"curl/7.88.1":                    "curl/7.88.1",
		"OpenAI/Python 2.1.0":            "OpenAI/Python 2.1.0",
		"Zed/0.212 (linux; x86_64)":      "Zed/0.212",
		"Mozilla/5.0 (X11; Linux) Gecko": "Mozilla/5.0",
		"":                               "",
		"  x  ":                          "x",
		"a\x00b\x1bc":                    "abc",
	} {
		if got := clientOf(userAgent); got != want {
			t.Errorf("clientOf(%q) = %q, want %q", userAgent, got, want)
		}
	}
	if got := clientOf(string(make([]byte, 1000)) + "x"); len(got) > maxClient {
		t.Errorf("%d bytes", len(got))
	}
}
