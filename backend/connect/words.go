package connect

import "mlxbar/backend/gateway/problem"

// advice says what to do about a problem, in words for whoever sets a tool up. What has none here is
// told as the problem's own help.
var advice = map[problem.Kind]string{
	problem.ModelNotFound:       "Choose one of the models that are there, or make a route for this name in Settings.",
	problem.InvalidKey:          "Make a key with mlxbar keys create NAME and give it to the tool.",
	problem.ModelNotAllowed:     "Choose a model that the key may ask, or give the key more models.",
	problem.RateLimited:         "Wait, or raise the limit of the key or at the provider.",
	problem.LocalOnly:           "Choose a model of this machine, or turn local_only off in Settings.",
	problem.CircuitOpen:         "The model's targets have failed several times in a row. See in the audit how, mend that, and check again in a minute.",
	problem.Timeout:             "The model is too slow, or was still being loaded. Check again; if that does not help, raise the limit in Settings or choose a smaller model.",
	problem.FirstToken:          "The model is too slow to begin, or was still being loaded. Check again, or raise timeouts.first_token in Settings.",
	problem.ConnectTimeout:      "The provider does not take connections. Is its address right, and is it up?",
	problem.UpstreamUnreachable: "Is the provider's address right, and does that server run? The test of the provider in Settings asks it again.",
	problem.UpstreamKey:         "Set the provider's API key anew.",
	problem.UpstreamRefused:     "The model's server does not take this kind of request. Another model or provider may.",
	problem.NotOffered:          "This provider has nothing of the kind. Choose a model of another one for this tool.",
	problem.ContextExceeded:     "The model takes in too little for this tool. Choose one with a larger context, or raise engines.llamacpp.context_size.",
	problem.EngineUnavailable:   "The model could not be loaded. Its engine's log, in the data folder under logs, says why.",
	problem.EngineStopped:       "The engine ended while it answered, which lack of memory may cause. Try a smaller model.",
	problem.UpstreamCut:         "The model's server broke its answer off. Its own log may say why.",
	problem.UpstreamMalformed:   "The model's server answered with something that is not of its protocol. Is the provider's address right, with its /v1?",
	problem.UpstreamFailed:      "The model's server failed. Its own log may say why.",
	problem.ShuttingDown:        "Start the server again.",
}

func adviceFor(kind problem.Kind) string {
	if text, ok := advice[kind]; ok {
		return text
	}
	_, text, _ := problem.Help(kind)
	return text
}
