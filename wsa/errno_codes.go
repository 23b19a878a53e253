package wsa

// Success and the codes of the operating system that Winsock passes on (winerror.h).
const (
	NO_ERROR              Errno = 0   // success
	WSA_INVALID_HANDLE    Errno = 6   // invalid event handle
	WSA_NOT_ENOUGH_MEMORY Errno = 8   // not enough memory
	ERROR_NETNAME_DELETED Errno = 64  // connection is gone
	WSA_INVALID_PARAMETER Errno = 87  // invalid parameter
	WSA_OPERATION_ABORTED Errno = 995 // overlapped operation aborted
	WSA_IO_INCOMPLETE     Errno = 996 // overlapped operation not finished
	WSA_IO_PENDING        Errno = 997 // overlapped operation started
)

// Codes of the socket calls; the page of a call says which it returns.
// W-ERR: learn.microsoft.com, "Windows Sockets Error Codes".
const (
	WSAEINTR           Errno = 10004 // blocking call interrupted
	WSAEBADF           Errno = 10009 // bad file handle
	WSAEACCES          Errno = 10013 // access denied
	WSAEFAULT          Errno = 10014 // bad pointer or length
	WSAEINVAL          Errno = 10022 // invalid argument
	WSAEMFILE          Errno = 10024 // too many sockets
	WSAEWOULDBLOCK     Errno = 10035 // operation would block
	WSAEINPROGRESS     Errno = 10036 // another blocking call is in progress
	WSAEALREADY        Errno = 10037 // connect already in progress
	WSAENOTSOCK        Errno = 10038 // not a socket
	WSAEDESTADDRREQ    Errno = 10039 // destination address required
	WSAEMSGSIZE        Errno = 10040 // message too long
	WSAEPROTOTYPE      Errno = 10041 // protocol does not fit the socket type
	WSAENOPROTOOPT     Errno = 10042 // option not supported
	WSAEPROTONOSUPPORT Errno = 10043 // protocol not supported
	WSAESOCKTNOSUPPORT Errno = 10044 // socket type not supported
	WSAEOPNOTSUPP      Errno = 10045 // operation not supported
	WSAEPFNOSUPPORT    Errno = 10046 // protocol family not supported
	WSAEAFNOSUPPORT    Errno = 10047 // address family not supported
	WSAEADDRINUSE      Errno = 10048 // address in use
	WSAEADDRNOTAVAIL   Errno = 10049 // address not available
	WSAENETDOWN        Errno = 10050 // network is down
	WSAENETUNREACH     Errno = 10051 // network unreachable
	WSAENETRESET       Errno = 10052 // connection dropped by the network
	WSAECONNABORTED    Errno = 10053 // connection aborted locally
	WSAECONNRESET      Errno = 10054 // connection reset by peer
	WSAENOBUFS         Errno = 10055 // no buffer space
	WSAEISCONN         Errno = 10056 // already connected
	WSAENOTCONN        Errno = 10057 // not connected
	WSAESHUTDOWN       Errno = 10058 // socket shut down in this direction
	WSAETIMEDOUT       Errno = 10060 // timed out
	WSAECONNREFUSED    Errno = 10061 // connection refused
	WSAEHOSTDOWN       Errno = 10064 // host is down
	WSAEHOSTUNREACH    Errno = 10065 // host unreachable
	WSAEPROCLIM        Errno = 10067 // too many clients
	WSASYSNOTREADY     Errno = 10091 // network subsystem not ready
	WSAVERNOTSUPPORTED Errno = 10092 // winsock version not supported
	WSANOTINITIALISED  Errno = 10093 // winsock not started
	WSAEDISCON         Errno = 10101 // graceful shutdown in progress
	WSATRY_AGAIN       Errno = 11002 // try again later
)

// Codes that no TCP or UDP socket call of this stack returns.
const (
	WSAETOOMANYREFS        Errno = 10059 // too many references
	WSAELOOP               Errno = 10062 // name cannot be translated
	WSAENAMETOOLONG        Errno = 10063 // name too long
	WSAENOTEMPTY           Errno = 10066 // directory not empty
	WSAEUSERS              Errno = 10068 // user quota exceeded
	WSAEDQUOT              Errno = 10069 // disk quota exceeded
	WSAESTALE              Errno = 10070 // stale file handle
	WSAEREMOTE             Errno = 10071 // item is remote
	WSAENOMORE             Errno = 10102 // no more results
	WSAECANCELLED          Errno = 10103 // call cancelled
	WSAEINVALIDPROCTABLE   Errno = 10104 // invalid procedure table
	WSAEINVALIDPROVIDER    Errno = 10105 // invalid service provider
	WSAEPROVIDERFAILEDINIT Errno = 10106 // service provider failed to start
	WSASYSCALLFAILURE      Errno = 10107 // system call failed
	WSASERVICE_NOT_FOUND   Errno = 10108 // service not found
	WSATYPE_NOT_FOUND      Errno = 10109 // type not found
	WSA_E_NO_MORE          Errno = 10110 // no more results
	WSA_E_CANCELLED        Errno = 10111 // call cancelled
	WSAEREFUSED            Errno = 10112 // query refused
)

// Codes of name resolution; WSATRY_AGAIN stands above because WSAAccept returns it
// too.
const (
	WSAHOST_NOT_FOUND Errno = 11001 // host not found
	WSANO_RECOVERY    Errno = 11003 // unrecoverable name server error
	WSANO_DATA        Errno = 11004 // name has no record of this type
)

// Codes of quality of service. The missing letter of WSA_QOS_EUNKOWNPSOBJ is the
// SDK's.
const (
	WSA_QOS_RECEIVERS          Errno = 11005 // reservation has a receiver
	WSA_QOS_SENDERS            Errno = 11006 // path has a sender
	WSA_QOS_NO_SENDERS         Errno = 11007 // no senders
	WSA_QOS_NO_RECEIVERS       Errno = 11008 // no receivers
	WSA_QOS_REQUEST_CONFIRMED  Errno = 11009 // reservation confirmed
	WSA_QOS_ADMISSION_FAILURE  Errno = 11010 // not enough resources for the reservation
	WSA_QOS_POLICY_FAILURE     Errno = 11011 // reservation refused by policy
	WSA_QOS_BAD_STYLE          Errno = 11012 // unknown or conflicting reservation style
	WSA_QOS_BAD_OBJECT         Errno = 11013 // bad filter or provider-specific part
	WSA_QOS_TRAFFIC_CTRL_ERROR Errno = 11014 // bad flow specification
	WSA_QOS_GENERIC_ERROR      Errno = 11015 // quality of service error
	WSA_QOS_ESERVICETYPE       Errno = 11016 // invalid service type
	WSA_QOS_EFLOWSPEC          Errno = 11017 // invalid flow specification
	WSA_QOS_EPROVSPECBUF       Errno = 11018 // invalid provider-specific buffer
	WSA_QOS_EFILTERSTYLE       Errno = 11019 // invalid filter style
	WSA_QOS_EFILTERTYPE        Errno = 11020 // invalid filter type
	WSA_QOS_EFILTERCOUNT       Errno = 11021 // wrong number of filters
	WSA_QOS_EOBJLENGTH         Errno = 11022 // invalid object length
	WSA_QOS_EFLOWCOUNT         Errno = 11023 // wrong number of flow descriptors
	WSA_QOS_EUNKOWNPSOBJ       Errno = 11024 // unknown provider-specific object
	WSA_QOS_EPOLICYOBJ         Errno = 11025 // invalid policy object
	WSA_QOS_EFLOWDESC          Errno = 11026 // invalid flow descriptor
	WSA_QOS_EPSFLOWSPEC        Errno = 11027 // invalid provider-specific flow specification
	WSA_QOS_EPSFILTERSPEC      Errno = 11028 // invalid provider-specific filter specification
	WSA_QOS_ESDMODEOBJ         Errno = 11029 // invalid discard mode object
	WSA_QOS_ESHAPERATEOBJ      Errno = 11030 // invalid shaping rate object
	WSA_QOS_RESERVED_PETYPE    Errno = 11031 // reserved policy element type
)
