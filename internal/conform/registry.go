package conform

import "slices"

// areas are all scenarios, in the order of the statements: of each area one list or several, of
// which each takes up where the one before it ends.
func areas() [][]Scenario {
	return [][]Scenario{
		validationScenarios, validationIPScenarios,
		nagleScenarios, nagleSillyScenarios,
		keepAliveScenarios, keepAliveAnswersScenarios, keepAliveChangesScenarios, keepAliveValsScenarios, keepAliveDropScenarios, keepAliveDroppedScenarios,
		lingerScenarios, lingerWireScenarios, lingerOptionsScenarios,
		shutdownScenarios,
		resetScenarios,
		buffersScenarios, buffersWindowScenarios, buffersLimitsScenarios, buffersEmptyScenarios,
		connectTimeScenarios,
		soErrorScenarios,
		reuseScenarios, reuseBindScenarios,
		portsScenarios,
		conditionalScenarios,
		groupsScenarios,
		urgentScenarios, urgentRecvScenarios, urgentMarkScenarios,
		timeoutsScenarios,
		broadcastScenarios,
		messagesScenarios,
		dontRouteScenarios,
		debugScenarios,
		configScenarios,
		typesScenarios,
		inheritScenarios, inheritExScenarios, inheritDisconnectScenarios, inheritReuseScenarios,
		transmitScenarios,
		blockingScenarios,
		eventsScenarios, eventsCodesScenarios,
		connectScenarios, connectICMPScenarios,
		downScenarios,
		vectorsScenarios,
		lengthsScenarios, optionsExistScenarios,
		callsStreamScenarios, callsDatagramScenarios,
		wireTCPScenarios, wireIPScenarios,
		eventsMemoryScenarios, eventsWaitScenarios,
		headerOptionsScenarios,
		zonesScenarios,
	}
}

// Scenarios returns all scenarios, in the order of the specification.
func Scenarios() []Scenario { return slices.Concat(areas()...) }
