variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "load_balancer" {
  description = "Arguments of the load balancer that are set; the others are left to the provider."
  type        = any
  default     = {}
}

variable "ingress" {
  type    = any
  default = {}
}

variable "egress" {
  type    = any
  default = {}
}

variable "target_groups" {
  type    = any
  default = {}
}

variable "attachments" {
  description = "More targets, each with the key of its group."
  type        = any
  default     = {}
}

variable "trust_stores" {
  type    = any
  default = {}
}

variable "listeners" {
  description = "Each with its actions, its rules and its further certificates."
  type        = any
  default     = {}
}

variable "tags" {
  type    = map(string)
  default = {}
}
