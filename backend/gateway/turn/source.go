package turn

import "strings"

// ParseAddress reads the address of an image or a file as OpenAI's protocols write
// it: one of the web, or a data URL. wrong says what else it is.
func ParseAddress(address string) (s Source, wrong string) {
	head, data, isData := strings.Cut(address, ",")
	switch {
	case strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://"):
		return Source{URL: address}, ""
	case !strings.HasPrefix(head, "data:"):
		return s, "must be an https address, or a data URL as data:image/png;base64,..."
	case !isData || !strings.HasSuffix(head, ";base64"):
		return s, "must be in base64, as data:image/png;base64,..."
	}
	media, _, _ := strings.Cut(strings.TrimPrefix(head, "data:"), ";")
	if media == "" || data == "" || !base64Only(data) {
		return s, "must name a media type and hold base64, as data:image/png;base64,..."
	}
	return Source{MediaType: strings.ToLower(media), Data: data}, ""
}

func base64Only(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/', c == '=':
		default:
			return false
		}
	}
	return true
}

// Address is the way back; "" for plain text.
func (s Source) Address() string {
	if s.URL != "" || s.Data == "" {
		return s.URL
	}
	return "data:" + s.MediaType + ";base64," + s.Data
}
