package gateway

// Convertible limits what is taken of a stream that is converted.
func (g *Gateway) Convertible(n int64) { g.convertible = n }
