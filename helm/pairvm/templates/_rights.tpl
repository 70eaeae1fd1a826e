{{/* What the operator does in the namespaces whose machines it serves. */}}
{{- define "pairvm.rights.machines" -}}
- apiGroups: [pairvm.dev]
  resources: [protectedvms]
  verbs: [get, list, watch, patch, update]
- apiGroups: [pairvm.dev]
  resources: [protectedvmoperations]
  verbs: [get, list, watch, patch, update, delete]
- apiGroups: [pairvm.dev]
  resources: [protectedvms/status, protectedvmoperations/status]
  verbs: [get, patch, update]
- apiGroups: [pairvm.dev]
  resources: [protectedvms/finalizers, protectedvmoperations/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims, services, serviceaccounts, configmaps, secrets]
  verbs: [get, list, watch, create, patch, update, delete]
# get and update are also what each machine's mirrors are given on their own Lease: nobody can give what they do not have.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch, create, patch, update, delete]
# OpenShift asks for this before it lets a slice name addresses of pods.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices/restricted]
  verbs: [create]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, create, patch, update]
{{- end }}

{{/* What it reads of the cluster. */}}
{{- define "pairvm.rights.cluster" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get, list, watch]
{{- end }}

{{/* What it does in its own namespace: leader election and the certificate authority. */}}
{{- define "pairvm.rights.own" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [pairvm-operator]
  verbs: [get, update, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [pairvm-ca]
  verbs: [get, update]
{{- end }}
